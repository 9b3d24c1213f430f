"""The whole method inside nnU-Net: a search on one fold, its placement in plans, stock trainings with and without it.

    export nnUNet_extTrainer=$(python -c "import focalseg.nnunet; print(focalseg.nnunet.TRAINERS)")
    nnUNetv2_train 4 3d_fullres 0 -tr nnUNetTrainerFocal
    python nnunet.py $nnUNet_results/Dataset004_X/nnUNetTrainerFocal__nnUNetPlans__3d_fullres $nnUNet_preprocessed/Dataset004_X
    for fold in 1 2 3 4; do for plans in nnUNetPlans nnUNetPlans_focal; do
        nnUNetv2_train 4 3d_fullres $fold -p $plans; done; done
    cd $nnUNet_results/Dataset004_X
    focalseg compare nnUNetTrainer__nnUNetPlans__3d_fullres nnUNetTrainer__nnUNetPlans_focal__3d_fullres

Fold 0 is left out of the comparison, since its validation cases chose the sites.
"""

import sys
from pathlib import Path

import focalseg
from focalseg.nnunet.plans import export_plans
from focalseg.records.evidence import EVIDENCE, Evidence
from focalseg.records.record import read_record

search, prepared = map(Path, sys.argv[1:])
_, plans, configuration = search.name.split("__")
placement = focalseg.decide(read_record(Evidence, search / "fold_0" / EVIDENCE))
placement.save(search / "placement.json")
print(placement)
print(*export_plans(search / "placement.json", prepared / f"{plans}.json", prepared, [configuration]), sep="\n")
