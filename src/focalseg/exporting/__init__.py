"""Models for other programs, each compared with the model that it was made of before it is called done."""
