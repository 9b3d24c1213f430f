"""How it is decided which sites stay: one file per policy, each a generator that asks and then chooses."""

from collections.abc import Callable

from focalseg.catalogue import Catalogue
from focalseg.placement.policies.at_random import choose_at_random
from focalseg.placement.policies.by_depth import choose_deep_first, choose_shallow_first
from focalseg.placement.policies.everywhere import choose_all
from focalseg.placement.policies.exhaustive import choose_exhaustively
from focalseg.placement.policies.gamma_path import choose_by_gamma_path
from focalseg.placement.policies.gamma_threshold import choose_by_gamma
from focalseg.placement.policies.greedy import choose_greedily_backward, choose_greedily_forward
from focalseg.placement.policies.hard_concrete import choose_by_hard_concrete
from focalseg.placement.policies.leave_one_out import choose_by_leaving_one_out
from focalseg.placement.policies.nowhere import choose_none
from focalseg.placement.policies.one_at_a_time import choose_one_at_a_time
from focalseg.placement.policies.questions import Course, Search
from focalseg.placement.policies.removal import choose_by_removal, choose_by_removal_from_all

POLICIES: Catalogue[Callable[[Search], Course]] = Catalogue(
    "policy",
    {
        "removal": choose_by_removal,
        "removal_from_all": choose_by_removal_from_all,
        "gamma_threshold": choose_by_gamma,
        "gamma_path": choose_by_gamma_path,
        "hard_concrete": choose_by_hard_concrete,
        "leave_one_out": choose_by_leaving_one_out,
        "one_at_a_time": choose_one_at_a_time,
        "greedy_forward": choose_greedily_forward,
        "greedy_backward": choose_greedily_backward,
        "deep_first": choose_deep_first,
        "shallow_first": choose_shallow_first,
        "exhaustive": choose_exhaustively,
        "random": choose_at_random,
        "all": choose_all,
        "none": choose_none,
    },
)
