"""A placement put into a network of another depth: what its names then mean is said."""

import warnings
from dataclasses import replace

import pytest

import focalseg
from focalseg.hosts.attachment import attention_sites
from focalseg.placement.applying import PlacementWarning, compare_levels
from focalseg.records.evidence import Evidence, SiteEvidence
from focalseg.records.placement import Placement
from focalseg.records.site_decision import SiteDecision


def decide_on(network, *kept):
    """A placement that keeps those sites of the network."""
    evidence = Evidence(
        sites=tuple(
            SiteEvidence(
                site=site.name,
                gate="ag" if site.kind == "skip" else "se",
                gamma=1.0,
                spread=0.1,
                case_costs=(1.0 if site.name in kept else 0.0,) * 3,
            )
            for site in focalseg.sites(network)
        )
    )
    return focalseg.decide(evidence, policy="removal")


def test_a_placement_of_few_levels_in_a_deeper_network_says_so_and_where_the_bottleneck_went():
    placement = decide_on(focalseg.UNet(widths=(4, 8)), "bottleneck")
    deeper = focalseg.UNet(widths=(4, 8, 16, 32))
    said = r"decided on a network of 2 levels and this one has 4; .* Its bottleneck is another place here\."
    with pytest.warns(PlacementWarning, match=said):
        lean = focalseg.apply_placement(deeper, placement)
    assert list(attention_sites(lean)) == ["bottleneck"]


def test_a_shallower_network_is_told_as_well_and_the_bottleneck_only_where_it_is_kept():
    placement = decide_on(focalseg.UNet(widths=(4, 8, 16)), "encoder.0")
    with pytest.warns(PlacementWarning) as heard:
        focalseg.apply_placement(focalseg.UNet(widths=(4, 8)), placement)
    assert "3 levels and this one has 2" in str(heard[0].message)
    assert "bottleneck is another" not in str(heard[0].message)


@pytest.mark.parametrize("widths", [(4, 8), (6, 12)])
def test_the_same_depth_is_no_news(widths):
    placement = decide_on(focalseg.UNet(widths=(4, 8)), "bottleneck", "skip.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lean = focalseg.apply_placement(focalseg.UNet(widths=widths), placement)
    assert set(attention_sites(lean)) == {"bottleneck", "skip.0"}


def test_sites_that_a_person_named_or_listed_by_hand_have_no_levels():
    by_hand = SiteDecision(site="skip.0", gate="ag", gamma=1.0, removal_cost=0.0, spread=0.0, kept=True, why="")
    names = [site.name for site in focalseg.sites(focalseg.UNet(widths=(4, 8, 16)))]
    assert compare_levels(Placement(sites=(by_hand,)), names) == ""
    kept_alone = (replace(by_hand, site="encoder.0", gate="se"), replace(by_hand, site="bottleneck", gate="se"))
    assert compare_levels(Placement(sites=kept_alone), names) == ""
    assert "2 levels and this one has 3" in compare_levels(Placement(policy="all", sites=kept_alone), names)
    assert compare_levels(decide_on(focalseg.UNet(widths=(4, 8)), "bottleneck"), ["layer1.0", "layer2.0"]) == ""
