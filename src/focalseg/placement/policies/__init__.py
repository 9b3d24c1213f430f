"""One file a policy: evidence of one or more trainings in, a decision and its reason a site out."""

from focalseg.catalogue import Catalogue
from focalseg.placement.policies.gamma_threshold import keep_by_gamma
from focalseg.placement.policies.removal import keep_by_removal

POLICIES = Catalogue("policy", {"removal": keep_by_removal, "gamma_threshold": keep_by_gamma})
