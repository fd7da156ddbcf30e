"""Atomic writing of files, and safe reading of files from untrusted sources."""

import errno
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sb3_delta_waypoint.messages import short_text

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 1 << 30
"""Largest size of a file that is read [bytes]."""
MAX_XML_BYTES = 1 << 27
"""Largest size of an XML file that is read [bytes]."""
MAX_YAML_BYTES = 1 << 18
"""Largest size of a YAML file that is read [bytes]: the parser takes a minute for a few megabytes."""
MAX_VALUES = 100_000
"""Largest number of values in a YAML file or the configuration of a planner, each counted as often as it is referred to."""
MAX_DIGITS = 100
"""Largest number of characters of a number in YAML: ``1:1:1:…``, which is base 60, takes quadratic time."""


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """
    Write a file atomically: at any moment the path holds either the old content or the new one.

    A symbolic link is kept, and its target is replaced. A device or a pipe is written to.

    :param path: the file to write; its folder is created if it does not exist
    :param content: text (written as UTF-8) or bytes
    :return: the path
    :raises OSError: naming the path, or its folder, if it cannot be written
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(target, data)
    except OSError as error:
        # the error of a full disk names no file, and others name the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    return Path(path)


def _write(path: Path, data: bytes) -> None:
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if path.is_symlink():  # links that lead in a circle
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        # mkstemp gives 0600; a result file should be as readable as any other the user makes
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: str | Path, value: Any) -> Path:
    """
    Write a value as JSON, atomically.

    NumPy scalars and arrays become numbers and lists. NaN and infinities, which JSON does not have, become ``null``.

    :param path: the file to write
    :param value: anything made of mappings, sequences, numbers, strings and None
    :return: the path
    :raises OSError: naming the path, if it cannot be written
    """
    return write_atomically(path, json.dumps(_plain(value), indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def read_json(path: str | Path, what: str, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """
    Read a JSON file.

    :param path: the file
    :param what: kind of file, for the message, such as ``"result file"``
    :param parse_constant: called with ``NaN``, ``Infinity`` and ``-Infinity``; by default they are read as numbers
    :return: its content
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, and the line and column where it is not JSON
    """
    data = _read(path, what, MAX_BYTES)
    with naming(path):
        try:
            return json.loads(data, parse_constant=parse_constant)
        except json.JSONDecodeError as error:
            problem = f"is not valid JSON ({error.msg}); the file may have been cut off"
            raise ValueError(f"{path}: line {error.lineno}, column {error.colno}: {problem}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{path}: is not text in UTF-8, as JSON must be") from None
        except ValueError as error:
            raise ValueError(f"{path}: is not valid JSON ({error})") from None


def read_yaml(path: str | Path, what: str) -> Any:
    """
    Read a YAML file of plain values. Aliases are accepted, unless they expand to too many values.

    :param path: the file
    :param what: kind of file, for the message, such as ``"suite"``
    :return: its content
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, if it is not YAML or too large
    """
    data = _read(path, what, MAX_YAML_BYTES)
    with naming(path):
        try:
            loader = yaml.SafeLoader(data)
            node = loader.get_single_node()
            # checked before values are made, since merge keys (<<) copy what they refer to
            refuse_expansion(node)
            return None if node is None else loader.construct_document(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:  # '!!bool maybe' is a KeyError
            raise ValueError(f"{path}: not readable as YAML ({short_text(error)})") from None


def read_xml(path: str | Path, what: str, forbid_dtd: bool = False) -> "Element":
    """
    Read an XML file. Entities and references to external files, which a parser would expand or fetch, are refused.

    :param path: the file
    :param what: kind of file with its article, for the message, such as ``"a route file"``
    :param forbid_dtd: whether to refuse any document type definition
    :return: its root element
    :raises ImportError: if ``defusedxml`` is not installed
    :raises ValueError: naming the file, if it is not XML or too large
    """
    import defusedxml.ElementTree  # type: ignore[import-untyped]

    data = _read(path, what, MAX_XML_BYTES)
    with naming(path):
        try:
            root: Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=forbid_dtd)
        # a ParseError is a SyntaxError, what defusedxml refuses a ValueError
        except (SyntaxError, ValueError, LookupError) as error:
            reason = short_text(error) or type(error).__name__
            raise ValueError(f"{path} is not {what}: not readable as XML ({reason})") from None
    return root


def read_text(path: str | Path, what: str) -> str:
    """
    Read a text file.

    :param path: the file
    :param what: kind of file, for the message, such as ``"map file"``
    :return: its text
    :raises FileNotFoundError: if there is no such file
    :raises ValueError: naming the file, if it is not text in UTF-8 or too large
    """
    try:
        return _read(path, what, MAX_XML_BYTES).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text in UTF-8") from None


def refuse_expansion(value: Any) -> None:
    """
    Refuse a value that is small in memory but large when written out, because its parts are referred to many times.

    :param value: a value of mappings, sequences and scalars, or a YAML node
    :raises ValueError: if it holds more than :data:`MAX_VALUES` values, or a YAML number of more than :data:`MAX_DIGITS`
        characters
    """
    count, left = 0, [value]
    while left:
        parts = _parts(left.pop())
        count += len(parts)
        if count > MAX_VALUES:
            raise ValueError(f"it holds more than {MAX_VALUES:,} values, counted as often as an alias refers to them")
        left.extend(parts)


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, yaml.ScalarNode):
        if value.tag.endswith((":int", ":float")) and len(value.value) > MAX_DIGITS:
            raise ValueError(f"line {value.start_mark.line + 1}: a number has {len(value.value)} characters")
        return ()
    if isinstance(value, yaml.Node):
        value = value.value
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list | tuple) else ()


def _read(path: str | Path, what: str, most: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # 0 for a pipe or a device
            data = b"" if size > most else file.read((size or most) + 1)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {what} {path}") from None
    if max(size, len(data)) > most:
        raise ValueError(f"{path}: more than {most:,} bytes are not read")
    return data


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """
    Context in which errors that the content of a file can cause are raised as ``ValueError`` naming the file.

    :param path: the file
    :raises ValueError: for a RecursionError, an OverflowError or a MemoryError
    """
    try:
        yield
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply") from None
    except OverflowError as error:
        raise ValueError(f"{path}: holds a number that is too large ({error})") from None
    except MemoryError as error:
        raise ValueError(f"{path}: asks for more memory than there is ({short_text(error) or 'out of memory'})") from None


def refuse_compressed(path: str | Path) -> None:
    """
    Refuse a zip archive with compressed members. PyTorch and Stable-Baselines3 write uncompressed archives.

    :param path: the archive
    :raises ValueError: naming the file and the member
    :raises zipfile.BadZipFile: if it is not an archive
    """
    size = Path(path).stat().st_size
    with zipfile.ZipFile(path) as archive:
        _refuse_compressed(archive, path, size)
        for name in archive.namelist():
            if name.endswith(".pth"):
                with archive.open(name) as member:
                    if zipfile.is_zipfile(member):
                        _refuse_compressed(zipfile.ZipFile(member), f"{path}: {short_text(name)}", size)


def _refuse_compressed(archive: zipfile.ZipFile, where: str | Path, size: int) -> None:
    members = archive.infolist()
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{where}: {short_text(member.filename)} is compressed, which no saved model is; save it again")
    if sum(member.file_size for member in members) > size:
        raise ValueError(f"{where}: its members are larger than the file")
