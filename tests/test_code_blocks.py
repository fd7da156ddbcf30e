"""The script that runs the documentation's code finds what is wrong with a page, and says where."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "run_code_blocks.py"


def run(page: Path, text: str) -> subprocess.CompletedProcess[str]:
    page.write_text(text)
    return subprocess.run([sys.executable, SCRIPT, page], capture_output=True, text=True, check=False)


def test_blocks_run_in_one_folder_and_one_program(tmp_path: Path) -> None:
    python = "```python\nx = 1\nopen('x', 'w').write(str(x))\n```\n"
    bash = '```bash\ntest "$(cat x)" = 1\nls examples hyperparams\n```\n'
    module = '```python title="own.py"\ny = 2\n```\n```python\nfrom own import y\n```\n'
    module += '```yaml title="own.yml"\nz: 3\n```\n```bash\ntest "$(cat own.yml)" = "z: 3"\n```\n'
    skipped = "<!-- skip: needs a simulator -->\n```bash\nfalse\n```\n"
    result = run(
        tmp_path / "page.md",
        f"# Title\n{python}\n{bash}\n```python\nassert x == 1\n```\n{module}{skipped}\n```text\nfalse\n```\n",
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# A\n\n```python\nx = 1\ny = x / 0\n```\n", "line 5: ZeroDivisionError: division by zero"),
        ("# A\n\n```python\ndef f():\n    g()\n\nf()\n```\n", "line 7: NameError: name 'g' is not defined"),
        ("# A\n\n```python\nx = = 1\n```\n", "line 4: SyntaxError"),
        ("# A\n```bash\ntrue\n\nfalse\ntrue\n```\n", "line 5: exit code 1"),
        (
            "# A\n\n<!-- skip: long -->\n```bash\nsb3-delta-waypoint record --nope 3\n```\n",
            "line 5: sb3-delta-waypoint record --nope 3",
        ),
        ("# A\n\n`sb3-delta-waypoint trian`\n", "line 3: sb3-delta-waypoint trian: No such command"),
        ("# A\n\nBy `make tset`.\n", "line 3: make tset: no such target: tset"),
        ("# A\n\n`python benchmarks/speed.py --fast`\n", "no such option: --fast"),
        ("```bash\ntrue \\\n  a\nsb3-delta-waypoint sfd\n```\n", "line 4: sb3-delta-waypoint sfd: No such command"),
        ("# A\n\n[x](gone.md)\n", "the link gone.md leads to no file"),
        ("# A\n\n[x](#b)\n", "the link #b leads to no heading"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    result = run(tmp_path / "page.md", text)
    assert result.returncode == 1
    assert f"page.md, {said}" in result.stderr or said in result.stderr
