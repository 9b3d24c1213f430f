"""What `real_data.py` keeps and shows of real images: scores per case, what follows from them, and pages."""
