"""`python -m tools.kubernetes` writes the manifests that follow from deploy/monitoring."""

from __future__ import annotations

from tools.kubernetes.monitoring import ROOT, manifests


def main() -> None:
    """Write every file anew."""
    for path, text in manifests().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
