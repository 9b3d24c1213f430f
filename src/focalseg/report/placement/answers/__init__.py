"""The first screen of that page, five short answers, and the kinds of cases behind them"""
