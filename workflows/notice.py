"""A notice, from the moment it may leave to the moment its row says what became of it: one timer, one activity."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation import HAND_OVER_TIMEOUT
    from activities.contracts.notices import NOTICE, NOTICE_RETRY, SEND_NOTICE, NoticeSent, StartNotice


@workflow.defn(name=NOTICE)
class NoticeWorkflow:
    @workflow.run
    async def run(self, start: StartNotice) -> NoticeSent:
        if start.not_before is not None:
            wait = start.not_before - workflow.now()
            if wait > timedelta(0):
                await workflow.sleep(wait, summary="until it may leave")
        sent: NoticeSent = await workflow.execute_activity(
            SEND_NOTICE,
            start.notice_id,
            result_type=NoticeSent,
            start_to_close_timeout=HAND_OVER_TIMEOUT,
            retry_policy=NOTICE_RETRY,
        )
        return sent
