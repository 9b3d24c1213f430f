"""Contents read as a file, for whole files of tests of TIFFs."""

import pytest

from focalseg.imagesets.pictures.reading import read_image
from imagesets.pictures.samples import refuse


@pytest.fixture
def read(tmp_path):
    """Reads a content as an image."""

    def read_content(content, name="image.tif"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_image(path)

    return read_content


@pytest.fixture
def refused(tmp_path):
    """The finding for a content that is refused."""

    def refuse_content(content):
        path = tmp_path / "image.tif"
        path.write_bytes(content)
        return refuse(path)

    return refuse_content
