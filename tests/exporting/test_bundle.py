"""A MONAI bundle: MONAI verifies it, runs it on a folder of images, and gives the masks that the model gives."""

import json

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from focalseg.errors import SettingError
from focalseg.exporting.bundle_configs import build_inference, build_metadata
from focalseg.feeding.preparation import Preparation
from focalseg.hosts.building import NetworkConfig
from focalseg.imagesets.volumes.reading import read_volume
from focalseg.inference.model import Model, TrainedNetwork
from focalseg.training.run import build_network
from inference.models import make_config

bundle = pytest.importorskip("monai.bundle")
export = pytest.importorskip("focalseg.exporting.bundle")

PICTURES = Preparation(size=(32, 40), mean=(100.0,) * 3, standard_deviation=(50.0,) * 3)
WINDOWS = Preparation(size=(48, 56), patch=(24, 32), mean=(100.0,) * 3, standard_deviation=(50.0,) * 3)
VOLUMES = Preparation(size=(12, 16, 20), mean=(0.0,), standard_deviation=(1.0,), normalisation="case")
# What the schema of July 2024 (meta_schema_20240725.json) requires at the top and of a tensor; MONAI downloads it to verify.
REQUIRED = {
    *("schema", "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task"),
    *("description", "authors", "copyright", "network_data_format"),
}
REQUIRED_OF_TENSORS = {"type", "format", "num_channels", "spatial_shape", "dtype", "value_range"}
QUIET = "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"


def build(preparation, labels=("lesion",)):
    axes = len(preparation.size)
    config = make_config(preparation=preparation, labels=labels, spatial_dims=axes)
    network = build_network(config)
    with torch.no_grad():
        for seed in range(10):
            images = torch.randn(2, len(preparation.mean), *preparation.window, generator=torch.Generator().manual_seed(seed))
            network(images)
        network.head.bias.sub_(network.eval()(images).mean(dim=(0, *range(2, images.ndim))))
    return Model((TrainedNetwork(config, network),), name="OUT")


def draw(seed, size):
    """A smooth picture (*size, 3) of bytes."""
    coarse = np.random.default_rng(seed).integers(0, 256, (size[0] // 6 + 2, size[1] // 6 + 2, 3)).astype(np.uint8)
    return np.array(Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC))


def run(folder, images, masks):
    """Runs the bundle as `python -m monai.bundle run` does, from anywhere."""
    pytest.importorskip("ignite")
    bundle.run(
        config_file=str(folder / "configs/inference.json"),
        bundle_root=str(folder),
        dataset_dir=str(images),
        output_dir=str(masks),
        device="$torch.device('cpu')",
    )


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize(("preparation", "labels"), [(PICTURES, ("lesion",)), (WINDOWS, ("cyst", "solid"))])
def test_masks_of_pictures_are_those_of_the_model(preparation, labels, tmp_path):
    model, images = build(preparation, labels), tmp_path / "images"
    export.export_bundle(model, tmp_path / "bundle")
    images.mkdir()
    pictures = {f"case_{seed}": draw(seed, size) for seed, size in enumerate([(32, 40), (61, 47), (30, 100)])}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(images / f"{name}.png")
    run(tmp_path / "bundle", images, tmp_path / "masks")
    assert {path.name for path in (tmp_path / "masks").iterdir()} == {f"{name}.png" for name in pictures}
    for name, picture in pictures.items():
        expected = model.predict(picture)
        assert len(np.unique(expected)) > 1
        np.testing.assert_array_equal(np.array(Image.open(tmp_path / "masks" / f"{name}.png")), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
def test_masks_of_volumes_are_those_of_the_model_whatever_the_axes_of_the_file(tmp_path):
    model, images = build(VOLUMES), tmp_path / "images"
    export.export_bundle(model, tmp_path / "bundle")
    images.mkdir()
    voxels = np.random.default_rng(5).normal(size=(14, 18, 11)).astype(np.float32)
    affines = {"ras": np.diag([1.0, 1.0, 2.0, 1.0]), "lps": np.diag([-1.0, -1.0, 2.0, 1.0])}
    affines["turned"] = np.array([[0, 2.0, 0, 5], [0, 0, -1.0, 6], [1.0, 0, 0, 7], [0, 0, 0, 1]])
    for name, affine in affines.items():
        nibabel.save(nibabel.Nifti1Image(voxels, affine), images / f"{name}.nii.gz")
    run(tmp_path / "bundle", images, tmp_path / "masks")
    for name, affine in affines.items():
        mask = nibabel.load(tmp_path / "masks" / f"{name}.nii.gz")
        np.testing.assert_allclose(mask.affine, affine, atol=1e-6)
        assert mask.shape == voxels.shape
        expected = model.predict(read_volume(images / f"{name}.nii.gz").image)
        assert len(np.unique(expected)) > 1
        np.testing.assert_array_equal(read_volume(tmp_path / "masks" / f"{name}.nii.gz").image[0], expected)


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
def test_monai_verifies_the_network_and_its_metadata(tmp_path):
    """The schema is not fetched: it stands here as far as it requires anything, and MONAI takes a file that is there."""
    pytest.importorskip("jsonschema")
    export.export_bundle(build(PICTURES), tmp_path / "bundle")
    tensor = {"type": "object", "required": sorted(REQUIRED_OF_TENSORS)}
    tensors = {"type": "object", "patternProperties": {"^.+$": tensor}}
    data_format = {"type": "object", "required": ["inputs", "outputs"], "properties": {"inputs": tensors, "outputs": tensors}}
    schema = {"type": "object", "required": sorted(REQUIRED), "properties": {"network_data_format": data_format}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    metadata = str(tmp_path / "bundle/configs/metadata.json")
    bundle.verify_metadata(meta_file=metadata, filepath=str(tmp_path / "schema.json"))
    (tmp_path / "schema.json").write_text(json.dumps({**schema, "required": ["nobody has this"]}))
    with pytest.raises(ValueError, match="Failed validating"):
        bundle.verify_metadata(meta_file=metadata, filepath=str(tmp_path / "schema.json"))
    inference = str(tmp_path / "bundle/configs/inference.json")
    bundle.verify_net_in_out(net_id="network_def", meta_file=metadata, config_file=inference, device="cpu")


def test_the_folder_holds_what_a_bundle_must_and_weights_are_plain(tmp_path):
    model = build(PICTURES)
    export.export_bundle(model, tmp_path / "bundle")
    files = {path.relative_to(tmp_path / "bundle").as_posix() for path in (tmp_path / "bundle").rglob("*") if path.is_file()}
    assert files == {"configs/inference.json", "configs/metadata.json", "models/model.pt", "docs/README.md"}
    state = torch.load(tmp_path / "bundle/models/model.pt", weights_only=True)
    expected = model.network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)
    export.export_bundle(model, tmp_path / "bundle")  # an earlier one is replaced


def test_metadata_says_what_the_schema_requires():
    metadata = build_metadata(make_config(labels=("cyst", "solid")))
    assert metadata.keys() >= REQUIRED
    for tensor in (*metadata["network_data_format"]["inputs"].values(), *metadata["network_data_format"]["outputs"].values()):
        assert tensor.keys() >= REQUIRED_OF_TENSORS
    assert metadata["network_data_format"]["outputs"]["pred"]["channel_def"] == {"0": "background", "1": "cyst", "2": "solid"}


def test_no_name_of_a_set_becomes_code_of_a_bundle():
    config = make_config(labels=("$__import__('os').abort()", "@device"))
    model = Model((TrainedNetwork(config, build_network(config)),))
    texts = json.dumps([build_metadata(config), build_inference(model)])
    assert "abort" in texts
    assert "$__import__" not in texts
    assert '"@device"' not in json.dumps(build_metadata(config))


def test_settings_that_monai_would_run_and_networks_of_one_axis_are_refused(tmp_path):
    config = make_config()
    network = NetworkConfig(name="monai:UNet", classes=1, arguments={"act": "$print(1)"})
    strange = Model((TrainedNetwork(config, build_network(config)),))
    strange.configs = (type(config)(**{**vars(config), "network": network}),)
    with pytest.raises(SettingError, match=r"hold the text '\$print\(1\)', which MONAI would not take as it is"):
        export.export_bundle(strange, tmp_path / "bundle")
    line = Preparation(size=(32,), mean=(0.0,), standard_deviation=(1.0,))
    with pytest.raises(SettingError, match="this network has one spatial axis. Give --format onnx"):
        export.export_bundle(build(line), tmp_path / "bundle")
    assert not list(tmp_path.iterdir())
