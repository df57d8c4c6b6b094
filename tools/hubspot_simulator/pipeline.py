"""The way of a request, in strict order.

fault pre_auth, credential, route and version, scope, limiter, fault pre, body and structure, record
locks, latency, rows in one transaction, fault post_commit, answer. The order decides which refusal a
client sees and what counts against a limit.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.hubspot_simulator.account_api import AccountApi
from tools.hubspot_simulator.answers import Answer, ApiError
from tools.hubspot_simulator.calls import Call
from tools.hubspot_simulator.changing import Changer
from tools.hubspot_simulator.fault_plan import Phase
from tools.hubspot_simulator.faults import DropConnection, FaultEngine, ForcedAnswer
from tools.hubspot_simulator.limiter import Policy
from tools.hubspot_simulator.locks import Hold
from tools.hubspot_simulator.properties_api import PropertyApi
from tools.hubspot_simulator.reading import Reader
from tools.hubspot_simulator.refusals import rate_limited, trouble, wait_shown
from tools.hubspot_simulator.routing import TOKEN_INFO_PATH, Route, Work, find_route
from tools.hubspot_simulator.search import Search
from tools.hubspot_simulator.world import Portal

_LOCKED = 423
Prepare = Callable[[Call], Work]


def build_endpoints(portal: Portal) -> dict[str, Prepare]:
    """Return endpoint name → what checks its requests."""
    reader = Reader(portal)
    changer = Changer(portal, reader)
    properties, account = PropertyApi(portal), AccountApi(portal)
    return {
        "list": reader.list_page,
        "get": reader.get_one,
        "batch_read": reader.batch_read,
        "search": Search(portal, reader).search,
        "create": changer.create_one,
        "update": changer.update_one,
        "archive": changer.archive_one,
        "batch_upsert": changer.batch_upsert,
        "batch_update": changer.batch_update,
        "batch_create": changer.batch_create,
        "batch_archive": changer.batch_archive,
        "merge": changer.merge,
        "gdpr_delete": changer.gdpr_delete,
        "property_list": properties.list_all,
        "property_get": properties.get_one,
        "property_create": properties.create_one,
        "property_batch_create": properties.batch_create,
        "property_update": properties.update_one,
        "property_archive": properties.archive_one,
        "group_list": properties.list_groups,
        "group_create": properties.create_group,
        "account_details": account.details,
        "api_usage": account.usage,
        "limits_records": account.records,
        "limits_properties": account.custom_properties,
        "token_info": account.token_info,
    }


class Pipeline:
    """Turns requests into answers."""

    def __init__(self, portal: Portal, faults: FaultEngine) -> None:
        self._portal = portal
        self._faults = faults
        self._endpoints = build_endpoints(portal)

    async def answer(self, call: Call) -> Answer:
        """Return the answer with its headers.

        Raises:
            DropConnection: the client gets no answer.
        """
        try:
            answer = await self._admit_and_work(call)
        except ForcedAnswer as forced:
            answer = forced.answer
        except ApiError as error:
            answer = self._styled(call, error)
        answer.headers.update(call.rate_headers)
        answer.headers["x-hubspot-correlation-id"] = call.correlation_id
        return answer

    async def _admit_and_work(self, call: Call) -> Answer:
        try:
            await self._faults.act(call, Phase.PRE_AUTH)
            self._authenticate(call)
            route = self._route(call)
            limited = self._limit(call, route)
            if limited is not None:
                await self._sleep(self._portal.settings.latency_429_ms)
                return limited
            await self._faults.act(call, Phase.PRE)
            work = self._endpoints[route.endpoint.name](call)
            call.n_inputs = len(work.rows)
            await self._faults.act_on_rows(call, work.rows)
            hold = await self._portal.locks.acquire(work.lock_keys, len(work.rows))
        except ApiError:
            await self._sleep(self._portal.settings.latency_reject_ms)
            raise
        return await self._work(call, route, work, hold)

    async def _work(self, call: Call, route: Route, work: Work, hold: Hold) -> Answer:
        try:
            answer = await self._apply_with_latency(call, route, work)
        finally:
            self._portal.locks.release(hold)
        await self._faults.act(call, Phase.POST_COMMIT, answer)
        await self._faults.act_after_rows(call, work.rows, answer)
        return answer

    def _authenticate(self, call: Call) -> None:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        if not kind and call.path.rstrip("/") == TOKEN_INFO_PATH:
            return
        token = self._portal.tokens.by_text.get(text.strip())
        if token is None or kind.lower() != "bearer":
            message = "Authentication credentials not found or unknown; send a valid Bearer token."
            raise ApiError(401, "INVALID_AUTHENTICATION", message)
        if token.expired:
            raise ApiError(401, "EXPIRED_AUTHENTICATION", "The token used has expired.")
        call.token = token

    def _route(self, call: Call) -> Route:
        """Find the route and check the scope."""
        self._note_rate(call)
        route = find_route(call.method, call.path)
        endpoint = route.endpoint
        call.endpoint, call.version = endpoint.name, route.version
        call.params, call.template = route.params, route.template
        if endpoint.name == "search":
            call.rate_headers = {}
        scopes = call.token.scopes if call.token else frozenset()
        if endpoint.scopes and not scopes & set(endpoint.scopes):
            raise _missing_scope(endpoint.scopes[0])
        return route

    def _note_rate(self, call: Call) -> None:
        if call.token is not None:
            clock = self._portal.clock
            call.rate_headers = self._portal.limiter.headers(
                call.token.limits, mono_ms=clock.mono_ms(), now_ms=clock.now_ms()
            )

    def _limit(self, call: Call, route: Route) -> Answer | None:
        if call.token is None:
            return None
        is_search = route.endpoint.name == "search"
        mono_ms, now_ms = self._portal.clock.mono_ms(), self._portal.clock.now_ms()
        limiter, app = self._portal.limiter, call.token.limits
        refusal = limiter.admit(app, mono_ms=mono_ms, now_ms=now_ms, is_search=is_search)
        if not is_search:
            call.rate_headers = limiter.headers(app, mono_ms=mono_ms, now_ms=now_ms)
        if refusal is None:
            self._portal.statistics.accepted(app.app_id, mono_ms, is_search=is_search)
            return None
        wait_s = wait_shown(call, self._portal.settings, refusal.retry_after_s)
        policy = Policy(refusal.policy)
        return rate_limited(call, policy, self._portal.settings, retry_after_s=wait_s)

    async def _apply_with_latency(self, call: Call, route: Route, work: Work) -> Answer:
        settings, latency = self._portal.settings, self._portal.latency
        total_ms = latency.draw_ms(
            call.chance,
            rows=len(work.rows),
            is_batch=route.endpoint.is_batch,
            in_flight=call.in_flight,
        )
        share = {"end": 1.0, "start": 0.0}.get(settings.apply_at)
        before_ms = total_ms * (call.chance.chance("apply_at") if share is None else share)
        await self._sleep(before_ms)
        if latency.is_overloaded(call.chance, call.in_flight):
            raise ForcedAnswer(trouble(call, 502, settings.error_body_style))
        try:
            answer = self._apply(call, work)
        finally:
            await self._sleep(total_ms - before_ms)
        return answer

    def _apply(self, call: Call, work: Work) -> Answer:
        effects, clock = call.effects, self._portal.clock
        if effects.late is not None:
            if effects.half:
                self._apply_unseen(call, work)
            else:
                clock.call_later(effects.late.after_ms, lambda: self._apply_late(call, work))
            if effects.late.then_drop:
                raise DropConnection(reset=True)
            raise ForcedAnswer(trouble(call, 504, self._portal.settings.error_body_style))
        answer = work.apply(call)
        if effects.twice_after_ms is not None:
            clock.call_later(effects.twice_after_ms, lambda: self._apply_unseen(call, work))
        return answer

    def _apply_late(self, call: Call, work: Work) -> None:
        self._apply_unseen(call, work)
        self._portal.statistics.log(call)

    def _apply_unseen(self, call: Call, work: Work) -> None:
        """Apply a request whose answer nobody gets."""
        try:
            work.apply(call)
        except ApiError:
            # the client was told something else already; a refusal changes nothing
            return

    def _styled(self, call: Call, error: ApiError) -> Answer:
        style = self._portal.settings.error_body_style
        if error.status == _LOCKED and style != "full":
            return trouble(call, error.status, style)
        return error.as_answer(call.correlation_id)

    async def _sleep(self, ms: float) -> None:
        if ms > 0 and self._portal.settings.latency != "zero":
            await self._portal.clock.sleep(ms)


def _missing_scope(scope: str) -> ApiError:
    message = "This app hasn't been granted all required scopes to make this call."
    error = ApiError(403, "MISSING_SCOPES", message)
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": [scope]},
    }
    error.extra["errors"] = [detail]
    return error
