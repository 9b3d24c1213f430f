"""The whole method with Lightning, on loaders that give (images, masks).

place(build, loader, validation, test, epochs=100, train=train) is that of plain_loop.py. It needs `pip install
pytorch-lightning` (not 2.6.2 or 2.6.3, which share their number with hostile releases of lightning).
"""

import pytorch_lightning
import torch
from plain_loop import place

import focalseg

__all__ = ["Segmenter", "place", "train"]


class Segmenter(pytorch_lightning.LightningModule):
    def __init__(self, network, dropout=None):
        super().__init__()
        self.network, self.dropout, self.loss = network, dropout, focalseg.UnifiedFocalLoss()

    def configure_optimizers(self):
        return torch.optim.AdamW(focalseg.parameter_groups(self.network, 5e-3))

    def training_step(self, batch, _index):
        if self.dropout:
            self.dropout.begin_step(self.global_step)
        images, masks = batch
        return self.loss(self.network(images), masks)

    def optimizer_step(self, epoch, index, optimiser, closure=None):
        step = self.global_step  # of the optimiser: batches that are accumulated share it
        super().optimizer_step(epoch, index, optimiser, closure)
        if self.dropout:
            self.dropout.end_step(step, optimiser)
        focalseg.project_gammas(self.network, optimiser)


def train(network, loader, *, epochs, dropout=None):
    trainer = pytorch_lightning.Trainer(max_epochs=epochs, logger=False, enable_checkpointing=False)
    trainer.fit(Segmenter(network, dropout), loader)
    return network.eval()
