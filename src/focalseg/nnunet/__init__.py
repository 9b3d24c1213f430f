"""Inside nnU-Net: the network that its plans can name, plans with a placement, and a trainer that gathers evidence."""

from focalseg.nnunet.factory import build as build  # nnU-Net looks for the text "focalseg.nnunet.build"
