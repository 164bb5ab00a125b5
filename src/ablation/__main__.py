"""``python -m ablation`` is the command ``ablation``."""

if __name__ == "__main__":  # a worker imports this file too, and needs no command line
    from ablation.cli import main

    main()
