"""Carries out faults: waits, forced answers, dropped connections, changed rows and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tools.hubspot_simulator.answers import Answer, Detail, Json
from tools.hubspot_simulator.calls import Call, LateApply, RowInput, Token
from tools.hubspot_simulator.fault_plan import (
    EDITS,
    PORTAL_ACTIONS,
    ROW_ACTIONS,
    Action,
    Fault,
    FaultError,
    Phase,
    parse_fault,
)
from tools.hubspot_simulator.refusals import HTML_PAGE, rate_limited, trouble
from tools.hubspot_simulator.scenarios import SCENARIOS
from tools.hubspot_simulator.settings import PortalRule
from tools.hubspot_simulator.validation import RowError
from tools.hubspot_simulator.world import FULL_ACCESS, Portal

_FOREIGN_ID = "999999999999"


class ForcedAnswer(Exception):  # noqa: N818 - control flow, not an error
    """A fault decides the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class DropConnection(Exception):  # noqa: N818 - control flow, not an error
    """A fault ends the connection without an answer."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("dropped")
        self.reset = reset


class FaultEngine:
    """All active faults."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._faults: dict[str, Fault] = {}
        self._created = 0

    def add(self, spec: Json) -> list[str]:
        """Add one fault, or all of `{"scenario": name}`; return the ids.

        Raises:
            FaultError: the definition is wrong.
        """
        if isinstance(spec, dict) and "scenario" in spec:
            return self.add_scenario(str(spec["scenario"]))
        fault_id = f"f{self._created + 1}"
        self._faults[fault_id] = parse_fault(spec, fault_id, self._portal.clock.mono_ms())
        self._created += 1
        return [fault_id]

    def add_scenario(self, name: str) -> list[str]:
        """Add every fault of a scenario.

        Raises:
            FaultError: there is no such scenario.
        """
        if name not in SCENARIOS:
            raise FaultError(f"unknown scenario {name}; use one of {', '.join(sorted(SCENARIOS))}")
        return [fault_id for spec in SCENARIOS[name] for fault_id in self.add(spec)]

    def listed(self) -> list[Json]:
        """Return all faults with their counters."""
        return [fault.as_json() for fault in self._faults.values()]

    def remove(self, fault_id: str | None = None) -> bool:
        """Remove one fault or all; False when there is none of this id."""
        if fault_id is None:
            self._faults.clear()
            return True
        return self._faults.pop(fault_id, None) is not None

    def reset(self) -> None:
        """Remove all faults and count from the beginning."""
        self._faults.clear()
        self._created = 0

    async def act(self, call: Call, phase: Phase, answer: Answer | None = None) -> None:
        """Carry out the faults of a phase that need no rows.

        Raises:
            ForcedAnswer: a fault decides the answer.
            DropConnection: a fault ends the connection.
        """
        for fault in list(self._faults.values()):
            if fault.phase is not phase or _needs_rows(fault):
                continue
            if fault.wants(call, self._portal.clock.mono_ms()):
                self._hit(fault, call)
                await self._perform(fault.action, call, answer)

    async def act_on_rows(self, call: Call, rows: Sequence[RowInput]) -> None:
        """Carry out the faults that need rows; the request is parsed but not applied.

        Raises:
            ForcedAnswer: a fault decides the answer.
            DropConnection: a fault ends the connection.
        """
        for fault in list(self._faults.values()):
            if not _needs_rows(fault) or fault.phase is not Phase.PRE:
                continue
            if not fault.wants(call, self._portal.clock.mono_ms()):
                continue
            pick = fault.row_pick(call, self._portal.randomness)
            if any(pick(row) for row in rows):
                self._hit(fault, call)
                if fault.action.type in ROW_ACTIONS:
                    self._attach(fault, call)
                else:
                    await self._perform(fault.action, call, None)

    async def act_after_rows(self, call: Call, rows: Sequence[RowInput], answer: Answer | None) -> None:
        """Carry out the post_commit faults that look at rows.

        Raises:
            ForcedAnswer: a fault decides the answer.
            DropConnection: a fault ends the connection.
        """
        for fault in list(self._faults.values()):
            if not _needs_rows(fault) or fault.phase is not Phase.POST_COMMIT:
                continue
            if fault.wants(call, self._portal.clock.mono_ms()):
                pick = fault.row_pick(call, self._portal.randomness)
                if any(pick(row) for row in rows):
                    self._hit(fault, call)
                    await self._perform(fault.action, call, answer)

    def _hit(self, fault: Fault, call: Call) -> None:
        fault.hits += 1
        call.fault_id = fault.id

    async def _perform(self, action: Action, call: Call, answer: Answer | None) -> None:
        clock = self._portal.clock
        if action.type in PORTAL_ACTIONS:
            PortalChange(self._portal).apply(action, call)
        elif action.type == "delay":
            await clock.sleep(_wait_ms(action, call))
        elif action.type in {"drop", "hang"}:
            await clock.sleep(action.s * 1000)
            raise DropConnection(reset=action.reset)
        elif action.type in EDITS:
            _edit(action, answer)
        else:
            raise ForcedAnswer(self._forced(action, call, answer))

    def _forced(self, action: Action, call: Call, answer: Answer | None) -> Answer:
        match action.type:
            case "429":
                forced = rate_limited(call, action.policy, self._portal.settings, retry_after_s=action.retry_after)
            case "html_200":
                forced = Answer(200, content_type="text/html", raw=HTML_PAGE)
            case "bad_json":
                whole = answer.body() if answer is not None else b'{"status":"COMPLETE","results":['
                forced = Answer(200, raw=whole[: max(1, len(whole) * 2 // 3)])
            case "empty_2xx":
                forced = Answer(200, {"status": "COMPLETE", "results": []})
            case _:
                code = int(action.type) if action.type.isdigit() else action.code or 503
                style = action.body or self._portal.settings.error_body_style
                forced = trouble(call, code, "full" if style == "json" else style)
                if action.retry_after is not None:
                    forced.headers["Retry-After"] = f"{action.retry_after:g}"
        forced.headers.update(action.headers)
        return forced

    def _attach(self, fault: Fault, call: Call) -> None:
        action, effects = fault.action, call.effects
        pick = fault.row_pick(call, self._portal.randomness)
        wait_ms = _wait_ms(action, call)
        match action.type:
            case "lost_row":
                effects.lost.append(pick)
            case "wrong_value":
                effects.wrong.append(pick)
            case "row_error":
                effects.row_errors.append((pick, _row_error(action)))
            case "apply_half":
                effects.half = True
                effects.late = LateApply(0, action.then == "drop")
            case "delayed_apply":
                effects.late = LateApply(wait_ms, action.then == "drop")
            case _:
                effects.twice_after_ms = wait_ms


class PortalChange:
    """Changes of the portal in the middle of a run."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def apply(self, action: Action, call: Call) -> None:
        """Carry out one change."""
        match action.type:
            case "token_expire":
                self._change_token(action, call, expired=True)
            case "token_rotate":
                self._rotate(action, call)
            case "scope_removed":
                self._remove_scope(action, call)
            case "property_archived":
                self._archive_property(action.prop)
            case "portal_rule_on":
                self._portal.settings.portal_rules += (PortalRule(**action.rule),)
            case "tier_change":
                self._portal.settings.change({"tier": action.tier})
            case _:
                token = self._token(action, call)
                limit = self._portal.limiter.daily_limit(token.limits) if token else None
                self._portal.limiter.daily.roll(self._portal.clock.now_ms())
                self._portal.limiter.daily.used = limit or 0

    def _token(self, action: Action, call: Call) -> Token | None:
        sent = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        tokens = self._portal.tokens.by_text
        return tokens.get(action.token or sent) or tokens.get(FULL_ACCESS)

    def _change_token(self, action: Action, call: Call, *, expired: bool) -> None:
        token = self._token(action, call)
        if token is not None:
            self._portal.tokens.save(replace(token, expired=expired))

    def _rotate(self, action: Action, call: Call) -> None:
        token = self._token(action, call)
        if token is not None:
            new_text = action.new_token or f"{token.token}-rotated"
            renewed = replace(token, token=new_text)
            self._portal.tokens.remove(token.token)
            self._portal.tokens.save(renewed)

    def _remove_scope(self, action: Action, call: Call) -> None:
        token = self._token(action, call)
        if token is not None:
            self._portal.tokens.save(replace(token, scopes=token.scopes - {action.scope}))

    def _archive_property(self, name: str) -> None:
        prop = self._portal.registry.by_name.get(name)
        if prop is not None:
            self._portal.registry.save(replace(prop, archived=True))


def _needs_rows(fault: Fault) -> bool:
    return fault.match.row is not None or fault.action.type in ROW_ACTIONS


def _wait_ms(action: Action, call: Call) -> float:
    base = action.ms + action.s * 1000
    if action.max_ms <= base:
        return base
    return base + (action.max_ms - base) * call.chance.chance(f"wait:{action.type}")


def _row_error(action: Action) -> RowError:
    detail = Detail(action.message, action.error_code, action.prop)
    return RowError(action.category, action.message, (detail,))


def _edit(action: Action, answer: Answer | None) -> None:
    """Change the body of a good answer."""
    body = answer.payload if answer is not None else None
    if not isinstance(body, dict) or "results" not in body:
        return
    if action.type == "wrong_count":
        body["numErrors"] = body.get("numErrors", 0) + 1
        body["results"] = body["results"][:-1]
    elif action.type == "foreign_result":
        body["results"] = [*body["results"], {**_foreign(body["results"]), "id": _FOREIGN_ID}]
    else:
        for entry in body["results"]:
            entry.pop("objectWriteTraceId", None)
        for entry in body.get("errors", []):
            entry["context"] = {name: ids for name, ids in entry["context"].items() if name != "objectWriteTraceId"}


def _foreign(results: list[Json]) -> Json:
    if not results:
        return {"properties": {}, "archived": False}
    properties = {name: f"{value}-foreign" for name, value in results[0]["properties"].items()}
    return {**results[0], "properties": properties}
