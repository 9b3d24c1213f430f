"""Site dropout from a training loop that is not ours: four calls, and the network remembers that it trained so."""

import operator

import torch
from torch import nn

from focalseg.errors import SettingError, SiteError
from focalseg.hosts.attachment import attention_sites
from focalseg.hosts.gammas import gamma_parameters
from focalseg.hosts.presence.container import AttentionSites, find_container
from focalseg.hosts.presence.wrappers import unwrap
from focalseg.placement.exponents.dropout import SitesAtRandom


class SiteDropout:
    """Leaves sites out at random while a network trains in a loop of your own, so that it learns to do without any of them.

    `decide(policy="removal")`, the default, needs trainings of this kind: what such a network still misses is what nothing
    replaces. For two fifths of the steps every site acts, so that gates learn what they are good for. From then on each step
    draws a share evenly from [0, 1], and each site acts with that probability; else the host passes, to the bit.

    A step is one step of the optimiser, counted from 0 over the whole training. In each:

        dropout.begin_step(step)              # before the forward pass
        ...                                   # forward, backward, optimiser.step()
        dropout.end_step(step, optimiser)     # after the optimiser's step

    and `dropout.finish()` once after the last. Between the end of a step and the beginning of the next every site acts, so that
    a validation there sees the whole network. Norms with running statistics have seen a mixture of networks, and a validation
    in between may look worse than the network is; `gather_evidence` estimates them anew.

    What a step draws follows from (seed, step) alone. So a training that goes on in the middle is that which was never stopped:
    make a new SiteDropout with the same steps and seed, and begin the next step. Several passes before one step of the
    optimiser (gradient accumulation) are one step; `begin_step` may be called before each of them. Where a scaler skips the
    optimiser's step, or a batch is left out, nothing else is to be done. On several processes all give the same seed; under
    DistributedDataParallel the network is wrapped with find_unused_parameters=True, since gates that are left out have no
    gradient. Under torch.compile every new subset compiles anew; train without it.

    steps: of the optimiser in the whole training, those before an interruption included. seed: at least 0; each training has
    its own. The network may be wrapped. Raises SiteError where no attention stands, and SettingError for other numbers.

    >>> import focalseg, torch
    >>> network = focalseg.UNet(in_channels=1, widths=(8, 16))
    >>> touched = focalseg.instrument(network)
    >>> optimiser = torch.optim.AdamW(focalseg.parameter_groups(network, 1e-3))
    >>> dropout = focalseg.SiteDropout(network, steps=5)
    >>> for step in range(5):
    ...     dropout.begin_step(step)
    ...     network(torch.rand(2, 1, 8, 8)).square().mean().backward()
    ...     optimiser.step()
    ...     optimiser.zero_grad()
    ...     dropout.end_step(step, optimiser)
    >>> dropout.finish()
    >>> focalseg.gather_evidence(network, [(torch.rand(2, 1, 8, 8), torch.rand(2, 8, 8) > 0.5)]).exponents
    'dropout'
    """

    def __init__(self, network: nn.Module, *, steps: int, seed: int = 0) -> None:
        self._network = unwrap(network)
        if not attention_sites(self._network):
            raise SiteError("The network has no attention to leave out; call instrument(network) before SiteDropout(network).")
        self._steps, self._seed = _read_count("steps", steps, at_least=1), _read_count("seed", seed, at_least=0)
        self._regime = SitesAtRandom(self._network, steps=self._steps, seed=self._seed)
        self._open: int | None = None
        self._sets_in = next((step for step in range(self._steps) if self._regime.has_set_in(step)), None)

    def begin_step(self, step: int) -> None:
        """Draws the sites that act in a step, counted from 0; called before the forward pass, and as often as you like.

        Raises SettingError for a step that was not announced and for an exponent below 0, which tells that steps were not
        ended; SiteError where attention was put in or taken out since.
        """
        step = _read_count("step", step, at_least=0)
        if step >= self._steps:
            raise SettingError(
                f"Step {step} was begun, and SiteDropout was told of steps={self._steps}: expected 0 to {self._steps - 1}. "
                "Give the number of the optimiser's steps in the whole training, and count those."
            )
        container = self._find_container()
        refuse_negative_gammas(self._network)
        self._regime.begin_step(step)
        self._open = step
        if self._regime.has_set_in(step):
            container.trained_under, container.untrained = "dropout", ""
        elif not container.trained_under and self._sets_in is not None:
            container.untrained = (
                f"The last step was {step}, and site dropout with steps={self._steps} begins at step {self._sets_in}: no site "
                "was ever left out. Give SiteDropout the number of the optimiser's steps in the whole training, and count "
                'those; or gather evidence with exponents="free".'
            )

    def end_step(self, step: int, optimiser: torch.optim.Optimizer) -> None:
        """Called after the optimiser's step: sets exponents below 0 to 0, in place, and lets every site act.

        The gradients of sites are dropped. Raises SettingError where another step was begun, or none.
        """
        if self._open is None or step != self._open:
            begun = "no step was begun" if self._open is None else f"step {self._open} was begun"
            raise SettingError(
                f"end_step({step}) was called and {begun}; expected the step that begin_step was called with last. Call "
                f"begin_step({step}) before the forward pass."
            )
        self._regime.end_step(step, optimiser)
        self._regime.begin_validation()
        # A gate that is left out next must have no gradient: with one of 0, as zero_grad(set_to_none=False) leaves it, the
        # optimiser would move it by momentum and decay.
        for site in self._regime.filled.values():
            for weight in site.parameters():
                weight.grad = None
        self._open = None

    def begin_validation(self) -> None:
        """Lets every site act until the next `begin_step`. Needed only for a validation within a step, before its end."""
        self._regime.begin_validation()

    def finish(self) -> None:
        """Called after the last step, for a training that may stop within one: every site acts from now on."""
        self._regime.finish()
        self._open = None

    def _find_container(self) -> AttentionSites:
        """The container of the sites. Raises SiteError where they are not those that are left out here."""
        container = find_container(self._network)
        standing = () if container is None else container.standing().values()
        if container is None or not set(map(id, self._regime.filled.values())) <= set(map(id, standing)):
            raise SiteError(
                "The network's attention was put in anew, or taken out, since SiteDropout was made; make that afterwards."
            )
        return container


def refuse_negative_gammas(network: nn.Module) -> None:
    """Raises SettingError for an exponent below 0, by which coefficients would grow above 1: no attention any more."""
    gammas = gamma_parameters(network)
    if not gammas or not bool(torch.stack([gamma.detach().float().cpu() for gamma in gammas]).min() < 0):
        return
    below = {name: float(site.gamma.detach()) for name, site in attention_sites(network).items() if site.gamma < 0}
    raise SettingError(
        f"gamma is below 0 at {', '.join(f'{name} ({gamma:.3g})' for name, gamma in below.items())}; expected at least 0. Call "
        "focalseg.project_gammas(network, optimiser), or end_step of SiteDropout, after every step of the optimiser."
    )


def _read_count(name: str, value: int, *, at_least: int) -> int:
    """The value as an int. Raises SettingError for what is none, and below the least."""
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if number < at_least:
        raise SettingError(f"{name} was {value!r}; expected a whole number, at least {at_least}.")
    return number
