## Frame
overview = Vue d’ensemble
vms = Machines virtuelles
vm = Machine virtuelle
vaults = Coffres Recovery Services
vault = Coffre Recovery Services
items = Éléments de sauvegarde
item = Élément de sauvegarde
jobs = Tâches de sauvegarde
job = Tâche
points = Points de récupération
point = Point de récupération
navigation = Navigation principale
crumbs = Vous êtes ici
skip-to-content = Aller au contenu
preferences = Préférences
language = Langue
theme = Couleurs
theme-auto = Comme le système
theme-light = Clair
theme-dark = Sombre
apply = Appliquer
essentials = Informations essentielles
show-all = Tout afficher
to-overview = Vers la vue d’ensemble
to-vms = Vers les machines virtuelles
notifications = Notifications
notifications-new = { $count ->
    [one] Notifications : { $count } nouvelle
   *[other] Notifications : { $count } nouvelles
}
notification-new = Nouvelle
notifications-read = Tout marquer comme lu
notifications-none = Rien à signaler
notifications-none-text = Les tâches qui se terminent et ce qui va mal apparaissent ici.
az-copy = Copier comme commande az
az-copy-button = Copier
az-copied = Copié

## Signing in
sign-in = Se connecter
sign-out = Se déconnecter
sign-in-text = Avec le même nom ou ID client et le même secret que pour az.
sign-in-name = Nom ou ID client
sign-in-secret = Mot de passe ou secret

## Columns and fields
name = Nom
group = Groupe de ressources
region = Région
subscription = Abonnement
subscription-id = ID d’abonnement
state = Situation
status = État
time = Date et heure
size = Taille
created = Créé le
duration = Durée
start-time = Heure de début
end-time = Heure de fin
operation = Opération
actions = Actions
schedule = Planification
retention = Rétention
save = Enregistrer
create = Créer
create-new = Créer
choose = Choisir
cancel = Annuler
none-yet = Aucun pour l’instant
refresh = Actualiser
percent = { $value } %
filter-name = Nom ou groupe de ressources
filter-all = Tout
filter-protected = Protégée
filter-apply = Filtrer
filter-period = Période
filter-days = { $count ->
    [one] Dernières 24 heures
   *[other] { $count } derniers jours
}
pages = Pages de la liste
page-previous = Précédent
page-next = Suivant
page-rows = { $from } à { $to } sur { $count }
nothing-found = Rien trouvé
nothing-found-text = Aucune entrée ne correspond au filtre.

## Overview
tile-unprotected = { $count ->
    [0] toutes sont des éléments de sauvegarde
    [one] 1 non protégée
   *[other] { $count } non protégées
}
tile-no-items = rien n’est encore protégé
tile-attention = { $count ->
    [0] tout est en ordre
    [one] 1 demande votre attention
   *[other] { $count } demandent votre attention
}
tile-failed = { $count ->
    [0] aucun échec en 24 heures
    [one] 1 échec en 24 heures
   *[other] { $count } échecs en 24 heures
}
tile-vaults = { $count ->
    [one] dans { $count } coffre
   *[other] dans { $count } coffres
}
jobs-in-progress = Tâches en cours
points-newest = Points de récupération les plus récents

## Virtual machines
power = Alimentation
power-running = En cours d’exécution
power-paused = En pause
power-stopped = Arrêtée
power-unknown = Inconnue
vm-missing = Disparue
vm-unreachable = Hyperviseur absent
vm-missing-text = L’hyperviseur { $hypervisor } n’a plus cette machine depuis le { $time }. Ses points de récupération peuvent encore être restaurés.
vm-unreachable-text = L’hyperviseur { $hypervisor } ne répond plus depuis le { $time }. Vous voyez ici ce que l’on savait alors.
agent = Agent invité
agent-ready = Prêt
agent-silent = Pas de réponse
agent-not-configured = Non configuré
agent-silent-advice = L’agent invité ne répond pas. Installez et démarrez qemu-guest-agent dans la machine ; en attendant, les sauvegardes sont cohérentes en cas d’incident.
agent-not-configured-advice = La machine n’a pas de canal pour l’agent invité ; les sauvegardes sont donc cohérentes en cas d’incident. Ajoutez un canal virtio-serial nommé org.qemu.guest_agent.0 et installez qemu-guest-agent.
extension = Extension de VM
extension-not-offered = Non proposée
extension-absent = Arrive dès que la machine est en marche et que son agent répond
extension-installed = Prête
extension-failed = En échec
extension-failed-text = L’extension VMSnapshot ne peut pas être utilisée : { $reason }. Les sauvegardes continuent par l’agent invité.
os = Système d’exploitation
cpus-memory = Processeurs / mémoire
hypervisor = Hyperviseur
last-seen = Dernier contact
backup = Sauvegarde
vm-not-protected = Non protégée
vm-back-up = Sauvegarder
vm-can-be-chosen = Peut être choisie
vms-choose = Sélectionner des machines virtuelles
vms-refresh = Rechercher de nouvelles machines
vms-none = Pas encore de machine virtuelle
vms-none-text = Aucun des hyperviseurs configurés n’a de machine, ou aucun n’a encore été interrogé.
vm-jobs-none-text = Rien n’a encore été sauvegardé ni restauré pour cette machine.
disks = Disques
disk-role = Rôle
disk-os = Disque du système
disk-lun = Disque de données, LUN { $lun }
disk-format = Format
disk-backed-up = Sauvegardé
disk-left-out = Exclu
count-vms = { $count ->
    [0] aucune machine virtuelle
    [one] 1 machine virtuelle
   *[other] { $count } machines virtuelles
}

## Vaults
vault-create = Créer un coffre
vault-delete = Supprimer le coffre
vault-back-up = Sauvegarder des machines virtuelles
vault-name-hint = 2 à 50 lettres, chiffres et traits d’union ; une lettre en premier ; unique dans l’abonnement.
vault-new-name = Nom du nouveau coffre
vaults-none = Pas encore de coffre
vaults-none-text = Un coffre Recovery Services conserve les points de récupération des machines virtuelles d’une région. Créez-en un pour chaque région qui a des machines à protéger.
vault-items-none-text = Ce coffre ne protège encore aucune machine virtuelle.
subscription-only = Abonnement : { $name }
group-new = Ou un nouveau groupe de ressources
group-new-hint = Laissez vide pour utiliser celui choisi ci-dessus.
region-hint = Un coffre ne protège que les machines virtuelles de sa propre région.
redundancy = Réplication du stockage
redundancy-geo = Géoredondant
redundancy-local = Localement redondant
redundancy-zone = Redondant interzone
redundancy-geo-text = Une copie de plus sur un autre site. Coffre ne la fait pas : placez les données sur un stockage qui s’y réplique lui-même.
redundancy-local-text = Une seule copie, dans le stockage de la région. Elle ne survit pas à la perte du site.
redundancy-zone-text = Des copies dans plusieurs zones. Coffre ne les fait pas : placez les données sur un stockage réparti sur plusieurs zones.
redundancy-hint = Modifiable jusqu’à ce que le coffre protège son premier élément.
redundancy-open = Au choix jusqu’à ce que le coffre protège son premier élément
redundancy-saved = Enregistré : { $redundancy }.
redundancy-locked = { $redundancy }. Ne peut plus être modifié : le coffre protège ou a protégé des éléments. Pour un autre choix, créez un autre coffre.
soft-delete = Suppression réversible
soft-delete-disabled = Désactivée : les données supprimées disparaissent aussitôt
soft-delete-enabled = { $count ->
    [one] Activée : les données supprimées sont récupérables pendant { $count } jour
   *[other] Activée : les données supprimées sont récupérables pendant { $count } jours
}
soft-delete-always-on = { $count ->
    [one] Toujours activée : les données supprimées sont récupérables pendant { $count } jour
   *[other] Toujours activée : les données supprimées sont récupérables pendant { $count } jours
}
immutability = Immuabilité
immutability-disabled = Désactivée
immutability-unlocked = Activée, non verrouillée
immutability-locked = Activée et verrouillée

## Policies
policy = Stratégie de sauvegarde
policies = Stratégies de sauvegarde
policy-choose = Choisir une stratégie de sauvegarde
policy-daily = Tous les jours à { $time } ({ $zone })
policy-weekly = Chaque { $days } à { $time } ({ $zone })
policy-hourly = Toutes les { $interval } heures à partir de { $time }, pendant { $window } heures ({ $zone })
policy-only-crash = L’invité n’est jamais figé : points seulement cohérents en cas d’incident
retention-daily = { $count ->
    [one] Les points quotidiens sont conservés { $count } jour
   *[other] Les points quotidiens sont conservés { $count } jours
}
retention-weekly = { $count ->
    [one] Les points hebdomadaires ({ $days }) sont conservés { $count } semaine
   *[other] Les points hebdomadaires ({ $days }) sont conservés { $count } semaines
}
retention-monthly = Les points mensuels ({ $days }) sont conservés { $count } mois
retention-yearly = { $count ->
    [one] Les points annuels ({ $days } ; { $months }) sont conservés { $count } an
   *[other] Les points annuels ({ $days } ; { $months }) sont conservés { $count } ans
}
days-of-weeks = { $weeks } { $days }
day-last = dernier jour
day-sunday = dimanche
day-monday = lundi
day-tuesday = mardi
day-wednesday = mercredi
day-thursday = jeudi
day-friday = vendredi
day-saturday = samedi
week-first = premier
week-second = deuxième
week-third = troisième
week-fourth = quatrième
week-last = dernier
month-january = janvier
month-february = février
month-march = mars
month-april = avril
month-may = mai
month-june = juin
month-july = juillet
month-august = août
month-september = septembre
month-october = octobre
month-november = novembre
month-december = décembre

## Enabling backup
enable-backup = Activer la sauvegarde
protect-region = Dans la région { $region }
protect-other-region = est dans la région { $region } ; un coffre ne protège que les machines de sa propre région
protect-others = { $count ->
    [one] { $count } coffre ne peut pas être choisi
   *[other] { $count } coffres ne peuvent pas être choisis
}
protect-new-vault-hint = Il est créé dans le groupe de ressources { $group } et la région { $region }, comme la machine.
new-vault-redundancy = La réplication de son stockage est « Géoredondant » et ne peut plus changer une fois la machine protégée. Pour une autre, créez d’abord le coffre.
protect-default-policy = La machine reçoit la stratégie DefaultPolicy du coffre : tous les jours, conservation de 30 jours.
protect-no-vault = Aucun coffre n’est dans la région de la machine, et votre rôle ne permet pas d’en créer un. Demandez à un propriétaire de le créer.
protect-start = Démarrer la première sauvegarde maintenant
protect-start-hint = L’activation ne crée pas de point de récupération ; la première sauvegarde en crée un.

## Backup items
items-none = Rien n’est encore protégé
items-none-text = Choisissez une machine virtuelle et activez sa sauvegarde.
item-protected = Protégée
item-initial-pending = Avertissement (sauvegarde initiale en attente)
item-initial-pending-text = Il n’y a pas encore de point de récupération. La première sauvegarde le crée : démarrez-la avec Sauvegarder maintenant.
item-last-failed = Échec de la dernière sauvegarde
item-stopped = Protection arrêtée
item-stopped-text = { $count ->
    [0] Plus aucune sauvegarde n’est effectuée. Il n’y a aucun point de récupération.
    [one] Plus aucune sauvegarde n’est effectuée. Son point de récupération est conservé.
   *[other] Plus aucune sauvegarde n’est effectuée. Ses { $count } points de récupération sont conservés.
}
item-deleted = Données supprimées
item-deleted-text = { $count ->
    [one] Son point de récupération sera retiré après le { $time }. D’ici là, il est récupérable.
   *[other] Ses { $count } points de récupération seront retirés après le { $time }. D’ici là, ils sont récupérables.
}
item-resume = Reprendre la protection
item-change-policy = Changer de stratégie
item-stop = Arrêter la sauvegarde
item-delete = Supprimer les données de sauvegarde
item-undelete = Annuler la suppression
item-running-job = Afficher la tâche en cours
to-item = Afficher l’élément de sauvegarde
last-backup = État de la dernière sauvegarde
last-point = Dernier point de récupération
pre-check = Vérification préalable
health-passed = Réussie
health-action-required = Action requise
health-action-suggested = Action suggérée

## Recovery points
points-none = Pas encore de point de récupération
points-none-text = Les points de récupération apparaissent ici après la première sauvegarde.
item-points-none-text = La première sauvegarde crée le premier point de récupération.
certificate = Certificat
certificate-until = valable jusqu’au
certificate-remove = Retirer
certificate-add = Ajouter un certificat
certificate-pem = Certificat en PEM (clé RSA ; la clé privée reste dans le programme)
device-title = Se connecter sur un autre appareil
device-text = Un programme sur un autre appareil, comme az login --use-device-code, affiche un code. Qui le laisse entrer lui donne tout ce que { $name } peut faire. N’entrez qu’un code que vous avez demandé vous-même.
device-code = Code affiché
device-wrong = Ce code est inconnu ou a expiré. Recommencez sur l’autre appareil.
device-allow = Laisser entrer
device-refuse = Refuser
device-allowed = L’autre appareil est maintenant connecté.
device-refused = L’autre appareil a été refusé.
count-points = { $count ->
    [one] { $count } point de récupération
   *[other] { $count } points de récupération
}
point-newest = Point de récupération le plus récent
point-oldest = Point de récupération le plus ancien
point-moved = lecture { $read }, stockage { $stored }
point-read-whole = Lu en entier : { $reason }
point-not-validated = Non validé
point-no-freeze = Non figé
consistency = Cohérence
consistency-application = Cohérent avec les applications
consistency-file-system = Cohérent avec le système de fichiers
consistency-crash = Cohérent en cas d’incident
consistency-reason = Motif
freeze = Durée du gel
kept-until = Conservé jusqu’au
kept-for-ever = Jusqu’à décision
tier = Niveau
tier-instant = Instantané
tier-vault = Coffre
tier-archive = Archive
tier-instant-until = Instantané (jusqu’au { $time })
tier-no-snapshot = pas d’instantané : { $why }

## Back up now
backup-now = Sauvegarder maintenant
retain-until = Conserver la sauvegarde jusqu’au
retain-until-hint = Dernier jour où le point de récupération est conservé, en UTC.

## Restore
restore = Restaurer
restore-where = Restaurer vers
restore-to-folder = Dossier d’un compte de stockage
restore-to-folder-text = Écrit les disques comme fichiers image dans un nouveau dossier. Rien d’autre n’est modifié.
restore-in-place = Sur place
restore-in-place-text = Remplace les disques de la machine. Les disques actuels sont gardés jusqu’à ce que les disques restaurés soient vérifiés.
restore-new-vm = Nouvelle machine
restore-new-vm-text = Crée une autre machine à partir de tous les disques. La machine actuelle n’est pas touchée.
restore-new-vm-name = Nom de la nouvelle machine
restore-stops-vm = La restauration arrête la machine si elle est en cours d’exécution.
restore-vm-must-be-off = La machine doit être éteinte. Arrêtez-la d’abord sur l’hyperviseur { $hypervisor }.
restore-sure = Remplacer les disques de { $name }
restore-os-always = Le disque du système est toujours restauré.
restore-folder = Dossier
storage-account = Compte de stockage
restored-files = Fichiers restaurés

## Stopping
stop-what = Que deviennent les points de récupération ?
stop-keep = Conserver les données de sauvegarde
stop-keep-text = { $count ->
    [0] Plus aucune sauvegarde n’est effectuée. Il n’y a aucun point de récupération.
    [one] Plus aucune sauvegarde n’est effectuée. Le point de récupération reste jusqu’à ce que quelqu’un le supprime, et peut être restauré.
   *[other] Plus aucune sauvegarde n’est effectuée. Les { $count } points de récupération restent jusqu’à ce que quelqu’un les supprime, et peuvent être restaurés.
}
stop-delete = Supprimer les données de sauvegarde
stop-delete-now = { $count ->
    [0] Il n’y a aucun point de récupération.
    [one] Le point de récupération est retiré aussitôt et n’est pas récupérable.
   *[other] Les { $count } points de récupération sont retirés aussitôt et ne sont pas récupérables.
}
stop-delete-soft = { $count ->
    [0] Il n’y a aucun point de récupération ; l’élément est récupérable pendant { $days } jours.
    [one] Le point de récupération est récupérable pendant { $days } jours, puis il est retiré.
   *[other] Les { $count } points de récupération sont récupérables pendant { $days } jours, puis ils sont retirés.
}
stop-sure = Supprimer les données de sauvegarde de { $name }
stop-nothing = Il n’y a rien à arrêter : les sauvegardes sont déjà arrêtées, et les données ne peuvent pas être supprimées maintenant.
stop-and-delete = Arrêter et supprimer

## Jobs
job-name = Nom de la charge de travail
jobs-none = Pas encore de tâche
jobs-none-text = Les sauvegardes et les restaurations apparaissent ici dès qu’elles sont lancées.
job-in-progress = En cours
job-queued = En file d’attente
job-cancelling = Annulation en cours
job-completed = Terminé
job-completed-with-warnings = Terminé avec des avertissements
job-failed = Échec
job-cancelled = Annulé
job-cancel = Annuler la tâche
job-not-started = Pas encore démarré
job-progress = Progression du transfert des données
job-bytes = { $done } sur { $total }
job-left = encore { $time } environ
job-retrying = { $count ->
    [one] L’étape a échoué une fois et est tentée à nouveau.
   *[other] L’étape a échoué { $count } fois et est tentée à nouveau.
}
operation-backup = Sauvegarde
operation-backup-scheduled = Sauvegarde (planifiée)
operation-restore-disks = Restauration de disques
operation-restore-in-place = Restauration sur place
operation-restore-new-vm = Restauration comme nouvelle machine
operation-configure-backup = Configuration de la sauvegarde
operation-disable-backup = Arrêt de la sauvegarde
operation-delete-backup-data = Suppression des données de sauvegarde
operation-undelete = Annulation de la suppression
job-start-vm = Démarrage de la machine virtuelle
job-stop-vm = Arrêt de la machine virtuelle
operation-start-vm = Démarrer la machine virtuelle
operation-stop-vm = Arrêter la machine virtuelle
operation-refresh = Détection des machines virtuelles
steps = Étapes
step = Étape
step-take-snapshot = Prendre un instantané
step-transfer-to-vault = Transférer les données vers le coffre
step-validate = Valider
step-release-snapshot = Libérer l’instantané
step-prepare-restore = Préparer la cible
step-transfer-from-vault = Transférer les données depuis le coffre
step-publish-restore = Mettre en place
step-delete-points = Supprimer les points de récupération
step-not-started = Non démarré
step-undone = Défait
bytes-read = Données lues
bytes-new = Données nouvelles pour le coffre
bytes-stored = Données stockées
bytes-written = Données écrites
read-whole-because = Lu en entier parce que

## Errors
error-status = État HTTP { $status }
error-no-page = Cette page n’existe pas
error-no-page-text = L’adresse est fausse, ou ce qu’elle montrait a disparu.
error-forged = Le formulaire ne peut pas être accepté
error-forged-text = Il n’a pas été envoyé par une page de ce portail, ou la page a été ouverte il y a trop longtemps. Rien n’a été modifié. Rouvrez la page et recommencez.

## Policy editor
policy-create = Créer une stratégie
policy-delete = Supprimer la stratégie
policy-preview = Montrer son effet
policy-more = Autres réglages
policy-kind = Sous-type de stratégie
policy-standard = Standard (V1) : une fois par jour ou par semaine
policy-enhanced = Améliorée (V2) : jusqu’à toutes les 4 heures
policy-items = { $count ->
    [0] ne protège aucun élément
    [one] protège 1 élément
   *[other] protège { $count } éléments
}
every-day = chaque jour
every-week = certains jours de la semaine
every-hours = plusieurs fois par jour
s-back-up = Sauvegarder
s-on = le
s-at = à
s-every = toutes les
s-interval = Heures entre deux sauvegardes
s-window = Heures de la première à la dernière sauvegarde
s-hours-during = heures, pendant
s-hours-from = heures à partir de
s-in-zone = dans le fuseau horaire
s-clocks = Au changement d’heure
clocks-wall = l’heure locale reste la même
clocks-fixed = le décalage standard du fuseau vaut toute l’année
s-keep-daily = Conserver le point de chaque jour pendant
s-days = jours
s-short = permettre moins de 7 jours
s-keep-weekly = Conserver des points hebdomadaires pendant
s-weeks = semaines
s-keep-monthly = Conserver des points mensuels pendant
s-months = mois
s-keep-yearly = Conserver des points annuels pendant
s-years = ans
s-instant = Restauration instantanée depuis les instantanés pendant
weekdays = Jours de la semaine
weeks = Semaines du mois
months = Mois de l’année
days-of-month = Jours du mois
by-weekday = par jour de la semaine
by-date = par date
runs-next = Cinq prochaines exécutions
runs-local = Heure locale
calendar = Calendrier de rétention
calendar-text = Quelle règle conserve le plus longtemps le point de chaque jour, sur un an
rule-tag-daily = Quotidienne
rule-tag-weekly = Hebdomadaire
rule-tag-monthly = Mensuelle
rule-tag-yearly = Annuelle
count-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}
forecast = Prévision pour une machine
forecast-after = Après
forecast-space = Espace, au plus
after-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}
after-years = { $count ->
    [one] { $count } an
   *[other] { $count } ans
}
forecast-measured = D’après les mesures de ce coffre : { $first } pour la première sauvegarde, { $further } pour chacune des suivantes.
forecast-assumed = Rien n’a encore été mesuré dans ce coffre ; hypothèse : { $first } pour la première sauvegarde, { $further } pour chacune des suivantes.
forecast-none = Dès que tous les champs sont correctement remplis, l’effet de la stratégie est montré ici.
policy-name-example = Nuit-30
rule-name = 3 à 150 lettres, chiffres et traits d’union, une lettre d’abord ; par exemple Nuit-30.
rule-kind = Une stratégie améliorée ne peut pas redevenir standard. Créez une autre stratégie.
rule-frequency = Plusieurs fois par jour n’est possible qu’avec une stratégie améliorée (V2). Choisissez Améliorée sous Autres réglages, ou chaque jour.
rule-time = Une heure pleine ou une demie ; par exemple 22:30.
rule-run-days = Choisissez au moins un jour ; par exemple dimanche.
rule-interval = Toutes les 4, 6, 8, 12 ou 24 heures.
rule-window = Un multiple de l’intervalle, de 4 à 24 heures ; par exemple 12 avec un intervalle de 4.
rule-zone = Un fuseau horaire par son nom Windows ou IANA ; par exemple Europe/Paris ou Romance Standard Time.
rule-instant = 1 à 5 jours (standard) ou 1 à 30 (améliorée), 5 avec une planification hebdomadaire, et pas plus que la durée quotidienne ; par exemple 2.
rule-ranges = Conservez au moins un type de points ; par exemple des points hebdomadaires pendant 12 semaines.
rule-daily = 7 à 9999 jours (1 ou plus si moins de 7 est voulu) ; par exemple 30.
rule-weekly = 1 à 5163 semaines ; par exemple 12.
rule-weekly-days = Choisissez au moins un jour de sauvegarde ; par exemple dimanche.
rule-monthly = 1 à 1188 mois ; par exemple 12.
rule-month-days = Choisissez au moins un jour ; avec une planification hebdomadaire, par jour de la semaine ; par exemple premier dimanche.
rule-yearly = 1 à 99 ans ; par exemple 5.
rule-yearly-months = Choisissez au moins un mois ; par exemple janvier.

## Settings, activity, costs, charts
settings = Paramètres
regions = Régions
regions-text = Sites avec des hyperviseurs, et le stockage où leurs coffres gardent les données
region-short = Nom court
region-paired = Région jumelée
store = Stockage
hypervisors = Hyperviseurs
hypervisors-text = Nommés dans le fichier de configuration du service
hypervisor-answers = Répond
storage-accounts = Comptes de stockage
storage-accounts-text = Dossiers qui reçoivent les disques restaurés
tenant = Locataire
access = Utilisateurs et rôles
access-text = Qui peut se connecter, ici et avec az, et avec quels droits. Un rôle vaut dans tous les abonnements.
access-new = Ajouter un utilisateur ou un programme
people = Utilisateurs et programmes
kind = Type
kind-person = Utilisateur
kind-person-text = Se connecte avec un nom et un mot de passe.
kind-program = Programme
kind-program-text = Se connecte avec un ID client et un secret, pour az et les scripts. Le secret est créé ici et montré une seule fois.
roles = Rôles
role-owner = Propriétaire
role-contributor = Contributeur
role-backup-contributor = Contributeur de sauvegarde
role-backup-mua-admin = Administrateur MUA de sauvegarde
role-backup-operator = Opérateur de sauvegarde
role-reader = Lecteur
you = (vous)
secret-renew = Nouveau secret
secret-sure = Remplacer le secret de { $name } : l’actuel ne marche plus
password-sure = Remplacer le mot de passe de { $name } : l’actuel ne marche plus
secret-once = Notez-le : le secret n’est montré que maintenant
password-change = Changer le mot de passe
password-changed = Le mot de passe a été changé. Il vaut dès la prochaine connexion.
password-now = Mot de passe actuel
password-new = Nouveau mot de passe
password-again = Le même encore une fois
password-first = Premier mot de passe
password-short = Au moins 12 caractères, par exemple quatre mots.
password-not-same = Les deux ne sont pas identiques.
password-now-wrong = Ce n’est pas le mot de passe actuel.
activity = Journal d’activité
activity-text = Chaque changement et son auteur. Rien ici ne peut être modifié.
activity-find = Qui ou quoi
activity-none = Rien n’a encore été changé
activity-none-text = Les changements apparaissent ici dès que quelqu’un en fait un.
who = Qui
target = Sur quoi
action-read = Consultation
action-write-group = Créer ou modifier le groupe de ressources
action-delete-group = Supprimer le groupe de ressources
action-write-vault = Créer ou modifier le coffre
action-write-policy = Créer ou modifier la stratégie
action-write-account = Créer ou modifier le compte de stockage
action-power = Démarrer ou arrêter la machine virtuelle
action-access = Modifier les accès
costs = Rapport de coûts
costs-text = Place des points de récupération de chaque élément dans le stockage, après déduplication et compression, mesurée à leur création
costs-price = Prix d’un Gio par mois
costs-price-wrong = Un nombre supérieur ou égal à 0 ; par exemple 0,02.
costs-size = Taille des disques
costs-month = Coût par mois
total = Total général
churn = Lu et stocké
chart-freezes-note = Médiane : { $median } ; 99 sur 100 : { $p99 } ; la plus longue : { $value }
tile-stored = Espace occupé
tile-points = { $count ->
    [0] aucun point de récupération
    [one] dans { $count } point de récupération
   *[other] dans { $count } points de récupération
}
tile-alerts = Alertes
tile-alerts-note = sauvegardes en échec et vérifications préalables non réussies
calendar-none = pas de sauvegarde

## First run, checks
welcome = Bienvenue dans Coffre
welcome-text = Trois courtes étapes jusqu’à la première machine protégée.
welcome-open = Configurer
welcome-user = Un utilisateur pour vous
welcome-user-text = Laissez vide pour continuer avec le nom et le secret de l’administrateur.
welcome-store = Où vont les sauvegardes
welcome-vm = La première machine à protéger
welcome-go = Créer le coffre et protéger la machine
welcome-later = Plus tard
welcome-all = Toutes les machines sont configurées
welcome-all-text = Il ne reste rien à configurer : toutes les machines des hyperviseurs sont déjà des éléments de sauvegarde.
preflight = Vérifications préalables
check-away = La machine n’est pas joignable
check-here = L’hyperviseur répond et a la machine
check-off = La machine est arrêtée : ses disques sont copiés tels quels
check-agent = L’agent invité répond : les sauvegardes sont au moins cohérentes avec le système de fichiers
check-disks = { $count ->
    [one] { $count } disque de { $size } est sauvegardé
   *[other] { $count } disques de { $size } au total sont sauvegardés
}
obstacle-region = Elle est dans la région { $there }, le coffre dans { $here }. Utilisez un coffre de { $there }, ou créez-en un là-bas.
obstacle-this-vault = Elle est déjà un élément de ce coffre.
obstacle-other-vault = Elle est déjà un élément du coffre { $vault }. Utilisez ce coffre, ou supprimez‑y d’abord ses données de sauvegarde.
menu-of = Actions pour { $name }

## Deployments
action-deploy = Déployer un modèle
action-tags = Modifier les étiquettes
action-resource = Créer ou modifier la ressource

## Guides
guides = Aide
guide-first-look = Premier aperçu
guide-first-look-text = Les deux façons de protéger une machine, la première sauvegarde et l’agent dans la machine
guide-extension = Extension d’instantané de machine virtuelle
guide-extension-text = Schéma, paramètres, modèle, commandes az et codes de résultat

## Charts
points-over-time = Points de récupération dans le temps

action-guard = Gardes de ressources : modifier
action-approve = Décider de ce qu’une garde de ressources protège
approvals = Approbations
approvals-text = Ce qui affaiblit la protection d’un coffre sous une garde de ressources exige l’accord d’une seconde personne : un détenteur de la garde autre que le demandeur. Un accord vaut une fois, pour cela exactement, pendant huit heures.
approvals-none = Personne n’a rien demandé
approvals-none-text = Là où une garde de ressources protège un coffre, les demandes apparaissent ici dès que quelqu’un tente ce qu’elle protège.
approval-grant = Accorder
approval-refuse = Refuser
approval-until = Jusqu’à
approval-asked = En attente
approval-granted = Accordée
approval-refused = Refusée
approval-used = Faite
approval-expired = Trop tard
sign-in-held = Il y a eu trop de mauvais essais. Réessayez dans { $time }.
code = Code de votre application, ou code de récupération
code-text = Votre mot de passe est juste. Maintenant, le code qu’affiche votre application.
code-hint = Six chiffres qui changent toutes les 30 secondes. Sans votre appareil : un de vos codes de récupération.
code-wrong = Ce code est faux ou a déjà servi. Attendez le suivant et vérifiez l’horloge de votre appareil.
code-begin-again = Se connecter avec un autre compte
codes = Codes à la connexion
codes-text = Avec un code en plus du mot de passe, connaître le mot de passe ne suffit pas.
codes-off-text = Une application sur votre téléphone ou ordinateur (toute application de codes à usage unique, TOTP) affiche un nouveau code toutes les 30 secondes. Le portail en demande alors un à la connexion ; az utilise az login --use-device-code.
codes-begin = Configurer une application
codes-scan = Faites lire cette image par l’application, puis entrez le code qu’elle affiche.
codes-picture = Image avec le secret pour l’application
codes-secret = Ou entrez ce secret dans l’application :
codes-first = Le code qu’affiche l’application
codes-confirm = Activer
codes-on = Les codes sont activés. Notez vos codes de récupération
codes-recovery-text = Chacun vaut pour une connexion si votre appareil est perdu. Ils ne sont affichés que maintenant.
codes-since = Activés depuis
codes-left = Codes de récupération restants
codes-turn-off = Désactiver
codes-reset = Désactiver les codes

## Resource guards
guards = Gardes de ressources
guard = Garde de ressources
guards-text = Une garde protège un coffre : ce qui affaiblit sa protection doit être approuvé par un détenteur autre que le demandeur.
guards-none = Il n’y a pas encore de garde de ressources
guards-none-text = Créez-en une ci-dessous, puis placez des coffres sous elle. Une personne ayant le rôle Administrateur MUA de sauvegarde devrait la détenir, et non celle qui gère les coffres.
guard-holders = Détenteurs
guard-holders-hint = Noms de ceux qui approuvent, séparés par des virgules. Nommez-en au moins deux : personne n’approuve ce qu’il a demandé. Vide : vous seul.
guard-left-out = Une seule personne suffit
guard-nothing = Rien
guard-no-vault = Aucun coffre pour l’instant
guard-protect = Protéger ce coffre
guard-take-away = Retirer la garde
guard-change = Modifier
guard-change-of = Modifier la garde { $name }
guard-delete = Supprimer la garde
guard-new = Nouvelle garde de ressources
guard-name-hint = De 1 à 80 lettres, chiffres, traits d’union, traits de soulignement et points.
guard-covers = Ce qui exige l’accord d’une seconde personne
guard-always = Les deux premières actions l’exigent toujours.
critical-soft-delete = Désactiver la suppression réversible, ou garder moins de jours ce qui est supprimé
critical-guard = Retirer la garde d’un coffre
critical-policy = Modifier une stratégie pour qu’elle garde moins longtemps les points
critical-protection = Placer un élément sous une stratégie qui garde moins longtemps les points
critical-data = Supprimer des données de sauvegarde ou des points isolés
critical-immutability = Désactiver l’immuabilité
critical-clock = Confirmer que l’horloge du service est juste

## Guest log
guest-log = Journal de l’invité
guest-log-text = Ce que l’invité a écrit pendant qu’il était figé puis libéré, lu à l’instant par son agent.
guest-log-show = Afficher
guest-log-read = Lu le
guest-log-cut = seule la fin est affichée
guest-log-empty = Ce fichier est vide.
guest-log-none = L’invité n’a pas de journal
guest-log-none-text = Il est écrit lors de la première sauvegarde d’une machine Linux en marche dont l’agent invité répond. Revenez ensuite.
guest-log-failed = Le journal ne peut pas être lu maintenant
guest-log-failed-advice = Vérifiez que la machine est en marche et que son agent invité répond, puis actualisez cette page.
sign-in-provider = Se connecter avec { $name }
sign-in-provider-failed = La connexion par le fournisseur a échoué. Réessayez ; si cela persiste, prévenez la personne qui gère le service.
sign-in-go-on = Continuer
