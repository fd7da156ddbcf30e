"""
What ``mkdocs.yml`` does beyond its plugins: the tables of observation groups and metrics come from the package, pictures
from the benchmarks' results, and a page that would load anything from elsewhere stops the build.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from sb3_delta_waypoint.contract import GROUPS
from sb3_delta_waypoint.driving.metrics import METRICS

REPOSITORY = Path(__file__).parents[1]
PICTURES = "benchmarks/results"
GROUPS_MARK, METRICS_MARK = "<!-- observation groups -->", "<!-- metrics -->"


def on_files(files: Files, config: Any) -> Files:
    """Pictures are where the benchmarks write them."""
    for path in sorted((REPOSITORY / PICTURES).glob("*.png")):
        files.append(File.generated(config, f"pictures/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links that lead out of ``docs/`` on a host of repositories lead to the site's copy; the contract is a table."""
    up = "../" * page.file.src_uri.count("/")
    markdown = markdown.replace(f"{up}../{PICTURES}/", f"{up}pictures/")
    return markdown.replace(GROUPS_MARK, groups_table()).replace(METRICS_MARK, metrics_table())


def groups_table() -> str:
    """:return: the groups of an observation, a row for each of their columns"""
    rows = ["| group | shape | number | unit | from | to | meaning |", "|---|---|---|---|---|---|---|"]
    for name, group in GROUPS.items():
        first = [f"`{name}`", f"`{group.shape}`", group.meaning]
        for column in group.columns:
            numbers = f"{column.name} | {column.unit} | {column.low:.4g} | {column.high:.4g}"
            rows.append(f"| {first[0]} | {first[1]} | {numbers} | {first[2]} |")
            first = [""] * 3
    return "\n".join(rows)


def metrics_table() -> str:
    """:return: the metrics that have a name, a row each"""
    rows = ["| name | in tables | unit | better |", "|---|---|---|---|"]
    rows += [f"| `{metric.name}` | {metric.label} | {metric.unit} | {metric.arrow} |" for metric in METRICS.values()]
    return "\n".join(rows)


def on_post_build(config: Any) -> None:
    """A site that is read without a network must not ask for one."""
    loads = re.compile(
        r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//"""
        r"""|<link(?=[^>]*rel=["']?(?:stylesheet|icon|pre))[^>]*href=["']?(?:https?:)?//"""
    )
    css = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")
    for path in Path(config["site_dir"]).rglob("*.*"):
        pattern = {".html": loads, ".css": css}.get(path.suffix)
        if pattern is not None and (found := pattern.search(path.read_text())):
            raise PluginError(f"{path} loads from elsewhere: {found[0]}…")
