"""Tasks with a cache: whether what an earlier run stored can be taken, why not, and what is stored for later runs.

The key of a result is made of digests: of the task's code and the options that change what it does, of the inputs and the
spec that it takes, of what each of its upstream tasks returned, and of what its key function returned, if it has one. An
upstream that ran again and returned the same changes nothing here: that is the early cut-off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import anyio
import anyio.to_thread

from dagtop.backends.event_loop import Abandoned
from dagtop.core.ledger import Ledger
from dagtop.core.policy import TaskPolicy
from dagtop.core.states import GOOD, TaskState
from dagtop.errors import JournalError
from dagtop.graph.binding import Call, FromContext, FromInput, FromNode, FromResource, FromService, FromTask
from dagtop.graph.fingerprint import code_mark, source_mark
from dagtop.journal import codec
from dagtop.journal.digests import UndigestibleError, digest, is_small
from dagtop.ports.cache import Cache, Entry
from dagtop.runtime.calls import Calls
from dagtop.runtime.failures import said_of
from dagtop.runtime.families import is_of
from dagtop.runtime.job import Job
from dagtop.runtime.reports import Reports

#: Upstream tasks whose digests are kept one by one, to tell which of them changed; of more, one for all.
TOLD_APART = 100
#: Sources of parameters that are looked at by themselves, or have no part in the key; any other gives plain values.
_KNOWN = (FromTask, FromInput, FromContext, FromService, FromResource, FromNode)
#: Changes that are told of one by one.
CHANGES = 3

Ended: TypeAlias = tuple[Any, BaseException | None]
#: Calls code of the user's: (what to call, whether that gives a coroutine) -> (what it returned, what it raised).
CallUser: TypeAlias = Callable[[Callable[[], Any], bool], Awaitable[Ended]]


class Hit(NamedTuple):
    """The output was taken from the cache; it is where outputs are."""

    reason: str


class Miss(NamedTuple):
    """The task must run."""

    reason: str


class _Key(NamedTuple):
    digest: bytes
    parts: Mapping[str, str]


class _Taken(NamedTuple):
    run: str
    output: Any


class _UncachedError(Exception):
    """No key can be made. The message says why; `problem` says so as well where somebody should know of it."""

    def __init__(self, reason: str, problem: str = "") -> None:
        super().__init__(reason)
        self.problem = problem


class Caching:
    """The cached tasks of one run. Belongs to the loop's thread.

    Parameters
    ----------
    cache: where outputs are kept.
    ledger: the state of the run, with its graph, as they are now.
    takes: False takes nothing from the cache; what tasks return is stored all the same.
    not_kept: told (task, reason) of what a task returned and is not stored.
    """

    def __init__(
        self,
        job: Job,
        calls: Calls,
        reports: Reports,
        cache: Cache,
        ledger: Callable[[], Ledger],
        *,
        takes: bool = True,
        not_kept: Callable[[int, str], None] = lambda _index, _reason: None,
    ) -> None:
        self._job = job
        self._calls = calls
        self._reports = reports
        self._cache = cache
        self._ledger = ledger
        self._takes = takes
        self._not_kept = not_kept
        self._broken = ""
        """Why nothing can be read, if it cannot."""
        self._keys: dict[int, _Key] = {}
        """By task that was looked up and is to run: what its output is stored under."""
        self._encoded: dict[int, tuple[Any, codec.Encoded]] = {}
        """By task: a large output, and the same encoded, between its thread and the loop."""
        self._looks: dict[int, object] = {}
        """By task: its latest look-up; an earlier one that is still going on does not count any more."""
        self._digests: dict[int, tuple[Any, str]] = {}
        """By upstream task: its output, and the digest of that."""
        self._inputs: dict[str, tuple[Any, str]] = {}
        """By name: the value of an input, and the digest of that."""
        self._codes: dict[tuple[int, int], tuple[Call, TaskPolicy, str]] = {}
        self._told: set[tuple[int, str]] = set()

    @property
    def keys(self) -> Mapping[int, Call | None]:
        """The cached tasks by index, each with its key function if it has one."""
        return self._job.checked.around.caches

    async def open(self) -> None:
        """Find what is stored. A cache that cannot be read is told of, and every task runs."""
        try:
            await anyio.to_thread.run_sync(self._cache.open)
        except JournalError as error:
            self._broken = str(error)
            self._reports.problem("cache", f"nothing is taken from it in this run: {error}")

    def close(self) -> None:
        """Write what is left."""
        self._cache.close()

    # -- before a task runs ---------------------------------------------------------------------------------------------

    async def lookup(self, index: int, fresh: bool = False, call: CallUser | None = None) -> Hit | Miss:
        """Whether the task's output can be taken from the cache; if so it is put where outputs are, and into the journal.

        Parameters
        ----------
        fresh: it was restarted by hand: it runs, whatever is stored.
        call: calls its key function; in a thread or on the loop unless given.
        """
        self._keys.pop(index, None)
        look = self._looks[index] = object()
        if self._broken:
            return Miss("the cache cannot be read")
        try:
            key = await self._key(index, call or _call)
        except _UncachedError as uncached:
            if uncached.problem:
                self._reports.problem("cache", uncached.problem, self._ledger().plan.names[index])
            return Miss(str(uncached))
        entry: _Taken | Miss = Miss("restarted by hand") if fresh else await self._look(index, key)
        if self._looks.get(index) is not look or self._ledger().state[index] is not TaskState.WAITING:
            return Miss("nobody waits for it any more")
        if isinstance(entry, Miss):
            self._keys[index] = key
            return entry
        self._calls.outputs[index] = entry.output
        if self._calls.writer is not None:
            self._calls.writer.output(self._ledger().plan.names[index], 0, entry.output)
        return Hit(f"code, options and inputs unchanged since run {entry.run}")

    async def _look(self, index: int, key: _Key) -> _Taken | Miss:
        name = self._seen(index)
        if not self._takes:
            return Miss("this run takes nothing from the cache")
        if not self._cache.has(name, key.digest):
            return Miss(_difference(key.parts, self._cache.latest(name)))
        get = partial(self._taken, name, key.digest)
        try:
            taken = await anyio.to_thread.run_sync(get) if self._cache.is_far(name, key.digest) else get()
        except JournalError as error:
            self._reports.problem("cache", f"what is stored cannot be taken, the task runs: {error}", name)
            return Miss("what is stored is damaged")
        return taken if taken is not None else Miss("what was stored is gone")

    def _taken(self, name: str, key: bytes) -> _Taken | None:
        entry = self._cache.get(name, key)
        return _Taken(entry.run, codec.decode(entry.codec, entry.value)) if entry is not None else None

    # -- after it has succeeded -----------------------------------------------------------------------------------------

    def in_thread(self, index: int, fn: Callable[[], Any]) -> Callable[[], Any]:
        """The call of an attempt that runs in a thread: a large output is encoded there too, not on the loop."""
        if index not in self._keys:
            return fn

        def encoded_at_once() -> Any:
            output = fn()
            if not is_small(output):
                self._encoded[index] = output, codec.encode(output)
            return output

        return encoded_at_once

    def store(self, index: int, output: Any, *, has_spawned: bool = False) -> None:
        """Keep what a task returned, if it was looked up before it ran and has spawned none. Never raises."""
        key = self._keys.pop(index, None)
        known = self._encoded.pop(index, None)
        if key is None:
            return
        if has_spawned:
            self._not_kept(
                index, "it spawned tasks, which would be missing: what it returns is not stored, and it runs each time"
            )
            return
        name = self._seen(index)
        encoded = known[1] if known is not None and known[0] is output else codec.encode(output)
        if not encoded.storable:
            if (index, "") not in self._told:
                self._told.add((index, ""))
                self._reports.problem(
                    "cache", f"the output {encoded.reason}; it is not cached, and the task runs next time", name
                )
            return
        self._cache.put(
            Entry(
                task=name,
                key=key.digest,
                parts=key.parts,
                run=self._job.run_id,
                codec=encoded.codec,
                value=encoded.blob,
            )
        )

    # -- the key --------------------------------------------------------------------------------------------------------

    async def _key(self, index: int, call: CallUser) -> _Key:
        job, checked = self._job, self._job.checked
        own = self._calls.call_of(index)
        parts = {"code": self._code(index, own)}
        if own.by_spec and checked.specs is not None:
            parts["spec"] = await self._digest(checked.specs[self._ledger().plan.names[index]], "its spec")
        if own.by_spec and own.scope is not None:
            parts["spec"] = await self._digest(own.spec, "its spec")
        for path in sorted({source.path for _, source in own.arguments if isinstance(source, FromNode)}):
            value = self._calls.nodes.value(self._ledger().plan.index[path])
            parts[f"input {path}"] = await self._digest(value, f"input {path}")
        for name in sorted({source.name for _, source in own.arguments if isinstance(source, FromInput)}):
            parts[f"input {name}"] = await self._digest_of_input(name, job.inputs[name])
        others = tuple(one for one in own.arguments if not isinstance(one[1], _KNOWN))
        if others:
            try:
                made = self._calls.beside(index, Call(own.fn, own.is_async, others))
            except BaseException as gone:  # noqa: BLE001 - an exception of the user's list
                raise _UncachedError(f"its element is gone: {said_of(gone)[:300]}") from None
            assert isinstance(made, partial), "a call with its arguments"
            parts["its element"] = await self._digest([*made.args, made.keywords], "its element")
        parts |= await self._upstream(index, own)
        key_function = self.keys.get(index)
        if key_function is not None:
            parts["its cache key"] = await self._asked(index, key_function, call)
        blob = json.dumps(["dagtop cache 1", sorted(parts.items())], ensure_ascii=True).encode()
        return _Key(hashlib.blake2b(blob, digest_size=16).digest(), parts)

    def _code(self, index: int, own: Call) -> str:
        policy = self._ledger().policies[index]
        known = self._codes.get((id(own.fn), id(policy)))
        if known is None or known[0] is not own or known[1] is not policy:
            known = own, policy, code_mark(own.fn, policy, values=True)
            self._codes[id(own.fn), id(policy)] = known
        return known[2]

    async def _upstream(self, index: int, own: Call) -> dict[str, str]:
        plan = self._ledger().plan
        owners = {owner for _, source in own.arguments if (owner := getattr(source, "owner", None)) is not None}
        lists: set[int] = set()
        if owners and not own.wants_context:  # of the list that an element is from, only the element counts
            lists = {above for owner in owners for above in plan.upstream[owner]}
            lists -= {source.index for _, source in own.arguments if isinstance(source, FromTask)}
        found = {
            f"input {self._seen(above)}": await self._of_upstream(above)
            for above in plan.upstream[index]
            if above not in lists
        }
        if len(found) <= TOLD_APART:
            return found
        blob = json.dumps(found, ensure_ascii=True).encode()
        return {"one of its inputs": hashlib.blake2b(blob, digest_size=16).hexdigest()}

    def _seen(self, index: int) -> str:
        """The name under which a task is stored."""
        return self._job.hiding.names.outside(self._ledger().plan.names[index])

    async def _of_upstream(self, above: int) -> str:
        if self._ledger().state[above] not in GOOD:
            return "none"  # it was skipped or has failed, and the task runs all the same
        if above in self._ledger().plan.nodes:
            return await self._digest(self._calls.nodes.value(above), f"input {self._seen(above)}")
        output = self._calls.outputs[above]
        known = self._digests.get(above)
        if known is None or known[0] is not output:
            known = output, await self._digest(output, f"input {self._seen(above)}")
            self._digests[above] = known
        return known[1]

    async def _digest_of_input(self, name: str, value: Any) -> str:
        known = self._inputs.get(name)
        if known is None or known[0] is not value:  # another version of the graph may bring another value
            known = self._inputs[name] = value, await self._digest(value, f"input {name}")
        return known[1]

    async def _digest(self, value: Any, what: str) -> str:
        try:
            return digest(value) if is_small(value) else await anyio.to_thread.run_sync(digest, value)
        except UndigestibleError as error:
            raise _UncachedError(f"{what} cannot be compared: it {error}") from None

    async def _asked(self, index: int, key: Call, call: CallUser) -> str:
        returned, error = await call(self._calls.beside(index, key), key.is_async)
        if error is not None and is_of(error, (Abandoned, anyio.get_cancelled_exc_class())):
            raise _UncachedError("nobody waits for it any more")
        if error is not None:
            said = said_of(error)[:300]
            raise _UncachedError(f"its cache key raised {said}", f"its cache key raised {said}; it runs uncached")
        try:
            found = await self._digest(returned, "what its cache key returned")
        except _UncachedError as error:
            raise _UncachedError(str(error), f"{error}; it runs uncached") from None
        return f"{found} {source_mark(key.fn)}"


async def _call(fn: Callable[[], Any], is_async: bool) -> Ended:
    """Call code of the user's, sync in a thread."""
    try:
        if is_async:
            return await fn(), None
        return await anyio.to_thread.run_sync(_guarded, fn, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        raise
    except BaseException as error:  # noqa: BLE001 - the user's
        return None, error


def _guarded(fn: Callable[[], Any]) -> Ended:
    try:
        return fn(), None
    except BaseException as error:  # noqa: BLE001 - as above
        return None, error


def _difference(parts: Mapping[str, str], before: Mapping[str, str]) -> str:
    """What is different about a task from when its result was last stored, for people."""
    if not before:
        return "nothing stored yet"
    changes = [
        f"{'its code' if name == 'code' else 'its spec' if name == 'spec' else name} changed"
        if name in before
        else f"{name} is new"
        for name in parts
        if parts[name] != before.get(name)
    ]
    changes += [f"{name} is gone" for name in before if name not in parts]
    if not changes:
        return "what was stored is gone"
    rest = len(changes) - CHANGES
    return ", ".join(changes[:CHANGES]) + (f" and {rest} more" if rest > 0 else "")
