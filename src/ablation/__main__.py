"""Runs the command ``ablation`` as ``python -m ablation``."""

if __name__ == "__main__":  # workers import this file too, without the command line
    from ablation.cli import main

    main()
