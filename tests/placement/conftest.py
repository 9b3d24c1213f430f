"""The small networks of the hosts' tests serve here as well."""

from hosts.conftest import build_unet, draw_images, look_at

__all__ = ["build_unet", "draw_images", "look_at"]
