"""`python -m dagtop_app` is the `dagtop` command."""

from dagtop_app.entry import main

if __name__ == "__main__":
    main()
