"""What the doors are made of, built once per process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from fastapi import Request
from temporalio.client import Client

from activities.contact import ContactTeller
from activities.dsn_intake import DsnIntake
from activities.erasure import Eraser
from activities.writing import Writer
from composition import (
    cipher,
    connect,
    dsn_vault,
    passwords,
    providers,
    pwned_passwords,
    scanner,
    vault,
    webhook_gateway,
)
from db.pool import Pool, create_pool
from gateways.encryption import FieldCipher
from services.access import AccessService
from services.access_review import AccessReviewService
from services.activations import ActivationService
from services.affiliation_imports import AffiliationImports
from services.affiliations import AffiliationService
from services.api_keys import ApiKeyService
from services.assistant import AssistantService
from services.assistant_cases import CaseReader
from services.company_recoveries import CompanyRecoveryService
from services.company_register import CompanyRegisterService
from services.company_views import CompanyViewService
from services.contact import ContactService
from services.contact_desk import ContactDesk
from services.contact_files import ContactFiles
from services.coverage_rights import CoverageRightsService
from services.deliveries import DeliveryService
from services.desk import DeskService
from services.devices import DeviceService
from services.dispatch_queue import DispatchQueueService
from services.document_checks import DocumentCheckService
from services.documents import DocumentService, Intake
from services.dsn_imports import DsnImportService
from services.enrolments import EnrolmentService
from services.evidence import EvidenceService
from services.exports import ExportService
from services.faq import FaqService
from services.figures import FiguresService
from services.follow_up import FollowUpService
from services.handovers import HandoverService
from services.hire_proposals import HireProposalService
from services.insured import InsuredService
from services.known_person import KnownPersonService
from services.latest_events import LatestEventsService
from services.library import LibraryService
from services.limits import Limiter
from services.look_as import LookAsService
from services.mandates import MandateService
from services.notices import Outbox
from services.notification_feed import NotificationFeed
from services.notifications import NotificationService
from services.own_notices import OwnNoticeService
from services.paper_desk import PaperDesk
from services.password_resets import PasswordResetService
from services.perimeter import PerimeterService
from services.personal_data import PersonalDataService
from services.pieces import PiecesTeller
from services.pre_affiliation_checks import PreAffiliationChecks
from services.profile import ProfileService
from services.receipts import ReceiptService
from services.second_factor import SecondFactorService
from services.sessions import SessionService
from services.sign_in import SignInService
from services.sign_in_places import SignInPlaces
from services.staff import StaffService
from services.staff_accounts import StaffAccountService
from services.tools import Tools
from services.users import UserService
from services.webhooks import WebhookService
from settings import Settings
from workflows.affiliation_imports_client import AffiliationImportRuns
from workflows.client import Affiliations
from workflows.company_recoveries import CompanyRecoveries
from workflows.contact_client import ContactRequests
from workflows.coverage_rights_client import CoverageRights
from workflows.dsn_imports_client import DsnImports
from workflows.exports_client import Exports
from workflows.histories import Histories
from workflows.notices_client import Notices
from workflows.webhooks_client import Webhooks


@dataclass(frozen=True)
class Parts:
    config: Settings
    web: Pool
    system: Pool
    temporal: Client
    engine: Affiliations
    writer: Writer
    cipher: FieldCipher
    affiliations: AffiliationService
    pre_affiliation_checks: PreAffiliationChecks
    affiliation_imports: AffiliationImports
    access: AccessService
    handovers: HandoverService
    enrolments: EnrolmentService
    known_person: KnownPersonService
    receipts: ReceiptService
    documents: DocumentService
    document_checks: DocumentCheckService
    deliveries: DeliveryService
    staff: StaffService
    desk: DeskService
    paper_desk: PaperDesk
    personal_data: PersonalDataService
    tools: Tools
    sessions: SessionService
    sign_in: SignInService
    second_factor: SecondFactorService
    devices: DeviceService
    password_resets: PasswordResetService
    profile: ProfileService
    users: UserService
    access_review: AccessReviewService
    mandates: MandateService
    activations: ActivationService
    company_recoveries: CompanyRecoveryService
    perimeter: PerimeterService
    company_views: CompanyViewService
    figures: FiguresService
    latest_events: LatestEventsService
    own_notices: OwnNoticeService
    notifications: NotificationService
    notification_feed: NotificationFeed
    api_keys: ApiKeyService
    insured: InsuredService
    exports: ExportService
    evidence: EvidenceService
    coverage_rights: CoverageRightsService
    staff_accounts: StaffAccountService
    company_register: CompanyRegisterService
    dispatch_queue: DispatchQueueService
    look_as: LookAsService
    dsn_imports: DsnImportService
    hire_proposals: HireProposalService
    assistant: AssistantService
    faq: FaqService
    library: LibraryService
    contact: ContactService
    contact_desk: ContactDesk
    webhooks: WebhookService


@asynccontextmanager
async def open_parts(config: Settings, temporal: Client | None = None) -> AsyncIterator[Parts]:
    """Pools, client and services; `temporal` is a client to use instead of the settings' address."""
    web = await create_pool(config.database_url, "hcr_web", config.database_pool_size)
    system_pool = await create_pool(config.database_url, "hcr_system", config.database_pool_size)
    # Lazy: the API answers while Temporal is away, and finds it when it is back.
    client = temporal or await connect(config, lazy=True)
    engine = Affiliations(client, config.temporal_task_queue, timedelta(seconds=config.temporal_rpc_timeout_seconds))
    fields = cipher(config)
    writer = Writer(fields, config.public_base_url)
    files = vault(config)
    intake = Intake(fields, files, scanner(config))
    teller = PiecesTeller(system_pool, engine)
    limiter = Limiter(system_pool, fields)
    access = AccessService(web, system_pool, engine, fields, limiter)
    rpc_timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
    eraser = Eraser(system_pool, files, Histories(client, rpc_timeout))
    gateways = providers(system_pool, config)
    queue = config.temporal_task_queue
    rights = CoverageRights(client, queue, rpc_timeout)
    tools = Tools(
        config=config,
        web=web,
        system=system_pool,
        cipher=fields,
        passwords=passwords(config),
        pwned=pwned_passwords(config),
        limiter=limiter,
        outbox=Outbox(system_pool, Notices(client, queue, rpc_timeout)),
        sms=gateways.sms,
        sign_in_places=SignInPlaces(),
    )
    enrolments = EnrolmentService(web, engine, fields, access)
    contact_files = ContactFiles(system_pool, fields, files, intake)
    contact_teller = ContactTeller(system_pool, ContactRequests(client, queue, rpc_timeout))
    notifications = NotificationService(web, system_pool)
    feed = NotificationFeed(system_pool, notifications)
    exports = ExportService(tools, files, Exports(client, queue, rpc_timeout))
    try:
        yield Parts(
            config=config,
            web=web,
            system=system_pool,
            temporal=client,
            engine=engine,
            writer=writer,
            cipher=fields,
            affiliations=AffiliationService(web, engine, fields, writer),
            pre_affiliation_checks=PreAffiliationChecks(web, fields),
            affiliation_imports=AffiliationImports(
                tools, PreAffiliationChecks(web, fields), AffiliationImportRuns(client, queue, rpc_timeout)
            ),
            access=access,
            handovers=HandoverService(web, system_pool, config.public_base_url),
            enrolments=enrolments,
            known_person=KnownPersonService(tools, gateways.mail, enrolments),
            receipts=ReceiptService(web, fields),
            documents=DocumentService(web, fields, intake, teller),
            document_checks=DocumentCheckService(system_pool, fields, files, intake, teller),
            deliveries=DeliveryService(system_pool, engine, gateways.post, rights),
            staff=StaffService(system_pool, engine),
            desk=DeskService(system_pool, fields, FollowUpService(web, engine, writer)),
            paper_desk=PaperDesk(system_pool, fields),
            personal_data=PersonalDataService(system_pool, fields, files, eraser),
            tools=tools,
            sessions=SessionService(tools),
            sign_in=SignInService(tools),
            second_factor=SecondFactorService(tools),
            devices=DeviceService(tools),
            password_resets=PasswordResetService(tools),
            profile=ProfileService(tools),
            users=UserService(tools),
            access_review=AccessReviewService(tools),
            mandates=MandateService(tools),
            activations=ActivationService(tools),
            company_recoveries=CompanyRecoveryService(tools, CompanyRecoveries(client, queue, rpc_timeout)),
            perimeter=PerimeterService(tools),
            company_views=CompanyViewService(web),
            figures=FiguresService(web),
            latest_events=LatestEventsService(web),
            own_notices=OwnNoticeService(tools),
            notifications=notifications,
            notification_feed=feed,
            api_keys=ApiKeyService(tools),
            insured=InsuredService(web, fields),
            exports=exports,
            evidence=EvidenceService(tools, exports),
            coverage_rights=CoverageRightsService(web, system_pool, rights),
            staff_accounts=StaffAccountService(tools),
            company_register=CompanyRegisterService(tools),
            dispatch_queue=DispatchQueueService(system_pool),
            look_as=LookAsService(tools),
            hire_proposals=HireProposalService(web, system_pool, fields),
            assistant=AssistantService(
                tools, CaseReader(FollowUpService(web, engine, writer), InsuredService(web, fields))
            ),
            faq=FaqService(system_pool, fields),
            library=LibraryService(system_pool, intake),
            contact=ContactService(tools, contact_files, contact_teller),
            contact_desk=ContactDesk(tools, contact_files, contact_teller),
            webhooks=WebhookService(tools, webhook_gateway(config), Webhooks(client, queue, rpc_timeout)),
            dsn_imports=DsnImportService(
                system_pool,
                fields,
                DsnIntake(
                    system_pool,
                    dsn_vault(config),
                    DsnImports(client, queue, rpc_timeout),
                    config.dsn_most_megabytes * 2**20,
                ),
                rights,
            ),
        )
    finally:
        await feed.close()
        await web.close()
        await system_pool.close()


async def parts(request: Request) -> Parts:
    """The dependency through which routes reach the services; async, as another kind runs in a thread."""
    return cast(Parts, request.app.state.parts)
