-- « Mes documents pratiques »: what employers download, each document with every version that it ever had.
--
-- Nothing here belongs to a company: only the system role looks here.

CREATE TABLE library_document (
    slug text PRIMARY KEY CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 80),
    category text NOT NULL CHECK (category IN ('employees', 'guides')),
    title text NOT NULL,
    summary text NOT NULL,
    made boolean NOT NULL DEFAULT false,        -- the portal can make it
    place integer NOT NULL DEFAULT 1000,        -- in its category
    retired_at timestamptz                      -- nobody finds it from then on, but staff
);

CREATE TABLE library_version (
    slug text NOT NULL REFERENCES library_document ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    content bytea,                              -- a PDF; null: the portal makes it
    size integer NOT NULL DEFAULT 0,
    words text NOT NULL DEFAULT '',             -- what it says, as it is searched
    downloads bigint NOT NULL DEFAULT 0,
    added_by uuid REFERENCES portal_user ON DELETE SET NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (slug, number)
);
ALTER TABLE library_version ALTER COLUMN content SET STORAGE EXTERNAL;  -- a PDF is compressed already
CREATE INDEX ON library_version (added_by);

INSERT INTO library_document (slug, category, title, summary, made, place) VALUES
    ('mandat-sepa', 'employees', 'Mandat SEPA',
     'À remplir et à signer par un salarié dont la cotisation est prélevée sur son compte, avec son RIB.', true, 1),
    ('email-affiliation', 'employees', 'E-mail d’affiliation',
     'Le message que reçoit votre salarié après votre pré-affiliation, pour le prévenir et qu’il le reconnaisse.', true, 2),
    ('affiliation', 'employees', 'Formulaire d’affiliation (BIA) vierge',
     'À compléter à la main par un salarié qui n’a ni e-mail ni courrier de notre part. Le formulaire déjà rempli à son '
     'nom se télécharge dans « Suivi des affiliations ».', true, 3),
    ('pre-affiliation', 'employees', 'Formulaire de pré-affiliation vierge',
     'Votre déclaration sur papier, en cas de besoin. En ligne, elle prend deux minutes et part aussitôt.', true, 4),
    ('guide-espace-entreprise', 'guides', 'Guide utilisateur Espace Entreprise',
     'Activer son espace, pré-affilier, suivre, relancer, gérer les accès, déclarer un départ.', true, 1),
    ('guide-espace-assure', 'guides', 'Guide utilisateur Espace Assuré',
     'Pour vos salariés : ouvrir son formulaire, le remplir sur un téléphone, joindre ses documents, le retrouver.', true, 2),
    ('guide-assures', 'guides', 'Guide pratique Assurés',
     'Pour vos salariés : qui est couvert, depuis quand, la famille, les dispenses, le départ de l’entreprise.', true, 3);
INSERT INTO library_version (slug, number) SELECT slug, 1 FROM library_document;

ALTER TABLE library_document ENABLE ROW LEVEL SECURITY;
ALTER TABLE library_document FORCE ROW LEVEL SECURITY;
ALTER TABLE library_version ENABLE ROW LEVEL SECURITY;
ALTER TABLE library_version FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON library_document TO hcr_system USING (true) WITH CHECK (true);
CREATE POLICY system ON library_version TO hcr_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON library_document, library_version TO hcr_system;
