"""What a newcomer does with nothing but the pages: open a space, declare somebody, read the mail, complete the form as
that person on a telephone, see who is insured. A test walks it; `make tour` walks it too and keeps what is seen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, FilePayload, Locator, Page

from domain.synthetic import synthetic_iban, synthetic_mobile
from services.fields import today
from tests.gateways.files import samples

PASSWORD = "quatre tabourets sous la treille en mai"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
LOOKS_INTO_THE_BOX = 20


@dataclass(frozen=True)
class Space:
    """The company whose space is opened, as its insurer's letters name it, and whoever opens it."""

    siret: str
    reference: str
    email: str
    phone: str = synthetic_mobile(4711)


@dataclass
class Camera:
    """Keeps what is seen, numbered in its order; without a folder, nothing."""

    folder: Path | None = None
    seen: list[str] = field(default_factory=list)

    async def keep(self, page: Page, name: str) -> None:
        self.seen.append(name)
        if self.folder is not None:
            await page.screenshot(path=self.folder / f"{len(self.seen):02}-{name}.png")


@dataclass(frozen=True)
class Newcomer:
    browser: Browser
    base: str
    camera: Camera

    @asynccontextmanager
    async def looking(self, size: dict[str, int]) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            locale="fr-FR",
            reduced_motion="reduce",
            device_scale_factor=1,
        )
        try:
            yield await context.new_page()
        finally:
            await context.close()

    async def tell(self, space: Space) -> None:
        """The whole way; raises playwright's errors where a page is not as expected."""
        async with self.looking(DESKTOP) as page:
            await self.opens_the_space(page, space)
            await self.gives_the_code(page, space)
            await self.declares(page, space)
            async with self.looking(DESKTOP) as box:
                link = await self.reads_the_mail(box)
            async with self.looking(PHONE) as phone:
                await self.completes_the_form(phone, link)
            await self.sees_the_insured(page)

    async def opens_the_space(self, page: Page, space: Space) -> None:
        await page.goto(f"{self.base}/activer")
        await page.get_by_label("Numéro de SIRET").fill(space.siret)
        await page.get_by_label("Identifiant entreprise").fill(space.reference)
        await self.camera.keep(page, "activer")
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_label("Prénom").fill("Noé")
        await page.get_by_label("Nom", exact=True).fill("Garnier")
        await page.get_by_label("Adresse e-mail professionnelle").fill(space.email)
        await page.get_by_label("Mot de passe").fill(PASSWORD)
        await page.get_by_label("J’ai lu et j’accepte").check()
        await self.camera.keep(page, "vos-informations")
        await page.get_by_role("button", name="Valider").click()
        await page.get_by_role("heading", name="Vérifiez votre messagerie").wait_for()
        async with self.looking(DESKTOP) as box:
            link = await self.link_in_the_mail_to(box, space.email)
        await page.goto(self.base + link)
        await page.get_by_label("Mot de passe").fill(PASSWORD)
        await page.get_by_role("button", name="Ouvrir mon espace").click()

    async def gives_the_code(self, page: Page, space: Space) -> None:
        await page.get_by_role("heading", name="Double authentification").wait_for()
        await page.get_by_label("téléphone").fill(space.phone)
        await page.get_by_role("button", name="Envoyer le code").click()
        await page.get_by_label("Code", exact=False).first.wait_for()
        async with self.looking(DESKTOP) as box:
            code = await self.code_on_the_phone(box)
        await page.locator("#code").fill(code)
        await self.camera.keep(page, "double-authentification")
        await page.get_by_role("button", name="Continuer").click()
        await page.get_by_role("heading", name="Bonjour Noé").wait_for()
        await self.camera.keep(page, "accueil")

    # --- the boxes of the developer's pages

    async def finds(self, box: Page, message: Locator) -> None:
        """Opens a message; it leaves a moment after what was done."""
        for _ in range(LOOKS_INTO_THE_BOX):
            await box.goto(f"{self.base}/dev/courriels")
            if await message.count():
                break
            await box.wait_for_timeout(500)
        await message.click()

    async def link_in_the_mail_to(self, box: Page, email: str) -> str:
        await self.finds(box, box.locator("li.row", has_text=email).first.get_by_role("link").first)
        return _path(await box.locator("section[aria-labelledby=links] a").first.get_attribute("href"))

    async def code_on_the_phone(self, box: Page) -> str:
        await self.finds(box, box.get_by_role("link", name="Code par SMS").first)
        text = await box.locator(".bubble").inner_text()
        await self.camera.keep(box, "le-sms")
        found = re.search(r"\b(\d{6})\b", text)
        assert found, text
        return found.group(1)

    async def reads_the_mail(self, box: Page) -> str:
        await self.finds(box, box.get_by_role("link", name="Invitation à Camille Martin").first)
        await box.frame_locator("iframe").get_by_role("link").first.wait_for()
        await self.camera.keep(box, "l-e-mail-du-salarie")
        return _path(await box.get_by_role("link", name="Son dossier").get_attribute("href"))

    # --- the employer

    async def declares(self, page: Page, space: Space) -> None:
        await page.get_by_role("link", name="Pré-affilier un salarié").first.click()
        await page.locator("#siret").select_option(space.siret)
        await page.get_by_label("Numéro de sécurité sociale").fill("2 75 06 75 990 001 97")
        await page.get_by_label("Madame").check()
        await page.get_by_label("Nom de naissance").fill("Martin")
        await page.get_by_label("Prénoms").fill("Camille")
        await page.get_by_label("Date de naissance").fill("12/06/1975")
        await page.get_by_label("Date d’embauche").fill(f"{today():%d/%m/%Y}")
        await page.get_by_label("Nature du contrat").select_option("cdi")
        await page.get_by_label("Non cadre").check()
        await page.get_by_label("Régime général").check()
        await page.get_by_label("Adresse e-mail du salarié").fill("camille.martin@example.fr")
        await page.get_by_label("Numéro et rue").fill("12 rue des Lilas")
        await page.get_by_label("Code postal").fill("75011")
        await page.get_by_label("Ville").fill("Paris")
        await self.camera.keep(page, "pre-affiliation")
        await page.get_by_role("button", name="Continuer", exact=True).click()
        await page.get_by_role("heading", name="Vérifiez, puis confirmez").wait_for()
        await self.camera.keep(page, "confirmation")
        await page.get_by_role("button", name="Confirmer et envoyer").click()
        await page.get_by_role("link", name="Suivre cette affiliation").wait_for()
        await self.camera.keep(page, "c-est-envoye")

    async def sees_the_insured(self, page: Page) -> None:
        await page.goto(f"{self.base}/salaries/suivi")
        await page.locator(".status.finalised").first.wait_for()
        await self.camera.keep(page, "suivi")
        await page.get_by_role("link", name="Camille Martin").first.click()
        await page.get_by_role("heading", name="Camille Martin").wait_for()
        await self.camera.keep(page, "une-affiliation")
        await page.goto(f"{self.base}/salaries/affilies")
        await page.get_by_role("link", name="Martin").first.wait_for()
        await self.camera.keep(page, "salaries-affilies")

    # --- the employee, on a telephone

    async def completes_the_form(self, page: Page, link: str) -> None:
        onward = page.get_by_role("button", name="Continuer", exact=True)
        await page.goto(self.base + link)
        await self.camera.keep(page, "telephone-debut")
        await page.get_by_role("link", name="Commencer").click()
        await page.get_by_label("Oui", exact=True).check()
        await page.get_by_label("Date de naissance").fill("12/06/1975")
        await onward.click()
        await page.get_by_label("Numéro de sécurité sociale").fill("2 75 06 75 990 001 97")
        await self.camera.keep(page, "telephone-etape")
        await onward.click()
        await onward.click()
        await page.get_by_label("M’affilier").check()
        await onward.click()
        await page.get_by_label("Non", exact=True).check()
        await onward.click()
        await page.locator("input[value=BASE]").check()
        await self.camera.keep(page, "telephone-formules")
        await onward.click()
        await page.get_by_label("IBAN", exact=True).fill(synthetic_iban(3))
        await page.get_by_label("Titulaire du compte").fill("Camille Martin")
        await page.get_by_label("Non", exact=True).check()
        await onward.click()
        rib = FilePayload(name="rib.jpg", mimeType="image/jpeg", buffer=samples.photo())
        await page.locator("input[type=file]").first.set_input_files(rib)
        await page.locator("form.upload button").first.click()
        await page.get_by_role("button", name="Supprimer le fichier rib.jpg").wait_for()
        await self.camera.keep(page, "telephone-documents")
        await page.get_by_role("link", name="Continuer", exact=True).click()
        await page.get_by_label("J’enverrai les documents manquants plus tard").check()
        await page.get_by_label("J’accepte l’utilisation de mes données").check()
        await page.get_by_label("toutes mes réponses sont exactes").check()
        await page.get_by_label("Votre signature").fill("Camille Martin")
        await page.get_by_role("button", name="Signer et envoyer").click()
        await page.get_by_text("BASE CCN HCR NC SEUL RG").wait_for()
        await self.camera.keep(page, "telephone-recu")


def _path(address: str | None) -> str:
    assert address
    return urlsplit(address).path
