"""The whole method in a plain loop: two probes, a decision, then networks without and with attention, compared on test cases.

build(seed): a network with weights drawn from the seed, which takes images (B, C, *spatial) and returns logits. loader: batches
(images, masks) to train on; validation and test: the same, in a fixed order. Put in your own loss, optimiser and schedule.
"""

from itertools import chain, islice, repeat

import torch

import focalseg
from focalseg.evaluation.scoring import score_batches


def train(network, loader, *, epochs, dropout=None):
    optimiser = torch.optim.AdamW(focalseg.parameter_groups(network, 5e-3))
    for step, (images, masks) in enumerate(chain.from_iterable(repeat(loader, epochs))):
        if dropout:
            dropout.begin_step(step)
        optimiser.zero_grad()
        focalseg.UnifiedFocalLoss()(network.train()(images), masks).backward()
        optimiser.step()
        if dropout:
            dropout.end_step(step, optimiser)
        focalseg.project_gammas(network, optimiser)  # the exponents of a lean network stay at least 0 as well
    return network.eval()


def score(network, batches):
    return dict(enumerate(score_batches(network, batches)))


def place(build, loader, validation, test, *, epochs, train=train, score=score):
    evidence = []
    for seed in (0, 1):  # two probes for a decision
        probe = build(seed)
        focalseg.instrument(probe)
        train(probe, loader, epochs=epochs, dropout=focalseg.SiteDropout(probe, steps=epochs * len(loader), seed=seed))
        evidence.append(focalseg.gather_evidence(probe, validation, norm_batches=islice(loader, 8)))
    placement = focalseg.decide(evidence)
    arms = {"none": build, "lean": lambda seed: focalseg.apply_placement(build(seed), placement)}  # both from fresh seeds:
    scores = {name: [score(train(arm(seed), loader, epochs=epochs), test) for seed in (2, 3)] for name, arm in arms.items()}
    return placement, focalseg.compare(scores, metric="Dice")
