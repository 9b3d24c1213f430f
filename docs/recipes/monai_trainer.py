"""The whole method with MONAI's SupervisedTrainer, on loaders that give {"image": ..., "label": ...}.

place(build, loader, validation, test, epochs=100, train=train, score=score) is that of plain_loop.py; labels (B, 1, *spatial)
are 0 and 1. It needs `pip install "monai[ignite]"`.
"""

import torch
from ignite.engine import Events
from monai.engines import IterationEvents, SupervisedTrainer
from monai.metrics import compute_dice
from plain_loop import place

import focalseg

__all__ = ["place", "score", "train"]


def train(network, loader, *, epochs, dropout=None):
    optimiser = torch.optim.AdamW(focalseg.parameter_groups(network, 5e-3))
    device = next(network.parameters()).device
    trainer = SupervisedTrainer(device, epochs, loader, network, optimiser, focalseg.UnifiedFocalLoss())
    if dropout:  # MONAI counts iterations from 1; validation handlers come after MODEL_COMPLETED
        step = lambda: trainer.state.iteration - 1  # noqa: E731
        trainer.add_event_handler(Events.ITERATION_STARTED, lambda: dropout.begin_step(step()))
        trainer.add_event_handler(IterationEvents.MODEL_COMPLETED, lambda: dropout.end_step(step(), optimiser))
    trainer.add_event_handler(IterationEvents.MODEL_COMPLETED, lambda: focalseg.project_gammas(network, optimiser))
    trainer.run()
    return network.eval()


@torch.no_grad()
def score(network, batches):
    device = next(network.parameters()).device
    dice = [compute_dice(network(batch["image"].to(device)) > 0, batch["label"].to(device)) for batch in batches]
    return dict(enumerate(torch.cat(dice).flatten().tolist()))
