"""Which sites are kept: the evidence, the policies that read it, the decision, and the lean network that follows."""
