# Sentences of the service; recognised by locales/en/sentences.ftl.

## Refusals: who and where
said-not-allowed = « { $name } » n’a pas le droit : { $why }. Un propriétaire doit lui donner un rôle qui le permet.
said-wrong-secret = La connexion a échoué : le nom ou l’id client est inconnu, ou le secret est faux.
said-token-of-nobody = Le jeton d’accès désigne quelqu’un qui n’est plus connu. Reconnectez-vous.
said-stopping = Le service s’arrête.
said-not-finished = Le service n’a pas pu terminer la demande. Son journal en dit plus.
said-stale = Quelqu’un d’autre l’a modifié entre-temps. Regardez de nouveau et répétez la demande.
said-busy = Le service est occupé. Réessayez dans un instant.
said-database = Le service n’a pas pu utiliser sa base de données. Son journal en dit plus.
said-form-too-large = Le formulaire est plus grand que tous ceux de ce portail.
said-no-subscription = L’abonnement « { $id } » est introuvable.
said-no-region = Il n’y a pas de région « { $name } ». Utilisez l’une de celles-ci : { $list }.
said-no-group = Le groupe de ressources « { $name } » est introuvable.
said-no-vault-id = Il n’y a pas de coffre d’id « { $id } ».
said-no-policy = Le coffre « { $vault } » n’a pas de stratégie de sauvegarde « { $name } ». Il a celles-ci : { $list }.
said-no-vm-id = Il n’y a pas de machine virtuelle d’id « { $id } ».
said-no-item-id = Il n’y a pas d’élément protégé d’id « { $id } ».
said-no-point-id = Il n’y a pas de point de récupération d’id « { $id } ».
said-no-job-id = Il n’y a pas de tâche « { $id } ».
said-no-vault-job = Le coffre n’a pas de tâche « { $id } ».
said-no-operation = Il n’y a pas d’opération « { $id } ».
said-no-deployment = Le déploiement « { $name } » est introuvable. Listez les déploiements pour voir ceux qui existent.
said-in-progress-cancel = Une autre opération est en cours sur « { $name } » : { $why-kind }, tâche { $id }. Attendez sa fin, ou annulez-la.
said-in-progress = Une autre opération est en cours sur « { $name } » : { $why-kind }, tâche { $id }. Attendez sa fin.
said-no-resource = La ressource « { $name } » du groupe de ressources « { $group } » est introuvable.

## Access
said-password-short = Le mot de passe a moins de { $least } lettres. Utilisez-en au moins { $more }, par exemple quatre mots.
said-name-signs-in = « { $name } » peut déjà se connecter. Choisissez un autre nom.
said-stays-owner = « { $name } » reste propriétaire : il en faut un, et personne ne se retire soi-même ce rôle. Nommez un autre propriétaire, qui pourra le faire.
said-nobody = Personne d’id « { $id } » ne peut se connecter.
said-user-name = Le nom « { $name } » ne respecte pas les règles : 1 à { $most } lettres, chiffres, « - », « _ », « . » et « @ », par exemple « anne ».

## Names
said-vault-name = Le nom de coffre « { $name } » { $why }. Un nom de coffre a 2 à 50 caractères, commence par une lettre et ne contient que des lettres, des chiffres et des traits d’union.
said-group-name = Le nom de groupe de ressources « { $name } » { $why }. Il a 1 à 90 lettres, chiffres, tirets bas, traits d’union, points et parenthèses, et ne finit pas par un point.
said-policy-name = Le nom de stratégie « { $name } » { $why }. Un nom de stratégie a 3 à 150 caractères, commence par une lettre et ne contient que des lettres, des chiffres et des traits d’union.
said-vm-name = Le nom de machine virtuelle « { $name } » { $why }. Il a 1 à 64 lettres, chiffres, traits d’union, tirets bas et points, et commence par une lettre ou un chiffre.
said-has-characters = a { $length } caractères
said-letter-first = ne commence pas par une lettre
said-letter-or-digit-first = ne commence ni par une lettre ni par un chiffre
said-contains = contient « { $bad } »
said-period-last = finit par un point
said-vault-name-taken = Le nom « { $name } » est pris : le coffre « { $vault } » du groupe de ressources « { $group } » le porte. Un nom de coffre est unique dans son abonnement ; choisissez-en un autre.
said-account-name = Le nom de compte de stockage « { $name } » ne respecte pas les règles : 3 à 24 lettres minuscules et chiffres.

## Vaults and groups
said-group-moved = Le groupe de ressources « { $name } » est dans la région « { $here } » et ne peut pas passer dans « { $there } ».
said-group-holds = Le groupe de ressources « { $name } » contient encore : { $list }. Supprimez ou déplacez d’abord son contenu.
said-vault-moved = Le coffre « { $name } » est dans la région « { $here } » et ne peut pas passer dans « { $there } ». Créez-y un autre coffre.
said-vault-not-empty = Le coffre « { $name } » ne peut pas être supprimé, car il contient : { $list }. Arrêtez la protection de chaque élément en supprimant ses données ; ce qui est supprimé disparaît à la fin de son délai, ou tout de suite si la suppression réversible est d’abord désactivée.
said-immutability-stays = L’immuabilité du coffre « { $name } » est verrouillée ; elle reste active.
said-redundancy-stays = La redondance du coffre « { $name } » est { $redundancy } et ne peut plus changer : son premier élément protégé la verrouille.
said-soft-delete-days = Les données supprimées ne peuvent pas être gardées { $days } jours. Choisissez 14 à 180 jours.
said-soft-delete-stays = La suppression réversible du coffre « { $name } » est toujours active.
said-vault-time = L’heure enregistrée du coffre est illisible : { $why }.

## Machines
said-vm-gone = La machine virtuelle « { $name } » n’est plus là : l’hyperviseur « { $hypervisor } » ne l’a plus depuis { $time }. Faites-la revenir, ou restaurez-la depuis un point de récupération.
said-hypervisor-away = L’hyperviseur « { $hypervisor } » de la machine virtuelle « { $name } » ne répond plus depuis { $time }. Réessayez quand il sera revenu.
said-vm-not-run = Coffre ne fait pas tourner la machine virtuelle « { $name } ». Démarrez-la et arrêtez-la sur l’hyperviseur « { $hypervisor } ».
said-hypervisor-lost-vm = L’hyperviseur « { $hypervisor } » n’a plus « { $name } ».
said-bring-back = Faites revenir la machine virtuelle, restaurez-la, ou arrêtez la protection.
said-regions-differ = Elle est dans la région « { $here } », le coffre dans « { $there } ».
said-protects-already = Le coffre « { $vault } » la protège déjà.

## Protection
said-other-region = La machine virtuelle « { $name } » est dans la région « { $here } », mais le coffre « { $vault } » est dans la région « { $there } ». Utilisez ou créez un coffre dans la région « { $again } ».
said-other-subscription = La machine virtuelle « { $name } » est dans un autre abonnement que le coffre.
said-earlier-vm = Le coffre « { $vault } » contient des points de récupération d’une machine virtuelle antérieure « { $name } » du groupe de ressources « { $group } ». Arrêtez d’abord la protection de cet élément en supprimant ses données, ou renommez la nouvelle machine.
said-other-vault = La machine virtuelle « { $name } » est protégée par le coffre « { $vault } » du groupe de ressources « { $group } ». Un seul coffre protège une machine virtuelle : utilisez celui-là, ou arrêtez-y la protection en supprimant les données.
said-back-to-standard = Un élément sous une stratégie améliorée (« { $old } ») ne peut pas revenir à une stratégie standard (« { $new } »). Choisissez une stratégie améliorée.
said-data-was-deleted = Les données de sauvegarde de « { $name } » ont été supprimées et sont gardées jusqu’au { $time }. Annulez d’abord la suppression.
said-no-lun = La machine virtuelle « { $name } » n’a pas de disque de données de LUN { $lun } ; elle a ceux-ci : { $list }.
said-no-item = Le coffre « { $vault } » ne protège pas de machine virtuelle « { $name } » du groupe de ressources « { $group } ».
said-stopped = La protection de « { $name } » est arrêtée. Reprenez-la avec une stratégie, puis sauvegardez.
said-until = Le point de récupération ne peut pas être gardé jusqu’au { $time } : cette date { $why }. Choisissez-en une après le { $time-now } et pas après le { $time-last }.
said-not-in-future = n’est pas dans l’avenir
said-century = est à plus de 99 ans
said-no-date = « { $text } » n’est pas une date. Écrivez-la année-mois-jour, par exemple 2027-01-31.
said-as-policy-says = Les points de « { $name } » ne peuvent être gardés selon leur stratégie que dans un coffre immuable, et « { $vault } » ne l’est pas. Arrêtez la protection en gardant les données, ou activez l’immuabilité.
said-immutable-delete = Le coffre « { $vault } » est immuable : les { $count } points de récupération de « { $name } » ne peuvent pas être supprimés avant leur terme. Arrêtez la protection en gardant les données.
said-immutable-reduce = Le coffre « { $vault } » est immuable : { $field } de « { $policy } » garderait les points de récupération moins longtemps que celui de « { $old } ». La planification peut changer, et la rétention peut grandir.
said-not-deleted = Les données de sauvegarde de « { $name } » n’ont pas été supprimées.

## Points
said-point-cannot = Le point de récupération « { $point } » de « { $name } » { $why }.
said-point-cannot-immutable = Le point de récupération « { $point } » de « { $name } » ne peut pas être supprimé avant son terme : le coffre « { $vault } » est immuable.
said-point-newest = Le point de récupération « { $point } » de « { $name } » est le plus récent, et la prochaine sauvegarde s’appuie dessus. Sauvegardez d’abord de nouveau, ou arrêtez la protection en supprimant les données.
said-being-removed = est en cours de retrait
said-was-not-deleted = n’a pas été supprimé
said-was-deleted-before = a déjà été supprimé
said-item-no-point = « { $name } » n’a pas de point de récupération « { $point } ».
said-point-was-deleted = Le point de récupération « { $point } » de « { $name } » a été supprimé. Faites-le revenir d’abord, ou utilisez-en un autre.
said-no-account = Il n’y a pas de compte de stockage « { $name } ». Il y a ceux-ci : { $list }.
said-account-region = Le compte de stockage « { $name } » est dans la région « { $here } », mais le coffre « { $vault } » est dans la région « { $there } ». Utilisez-en un de la région du coffre.
said-vm-name-taken = Le groupe de ressources « { $group } » a déjà une machine virtuelle « { $name } ». Choisissez un autre nom.
said-point-no-lun = Le point de récupération « { $point } » n’a pas de disque de données de LUN { $lun } ; il a ceux-ci : { $list }.
said-must-be-off = La machine virtuelle « { $name } » doit être éteinte avant le remplacement de ses disques, et Coffre n’a pas le droit de l’arrêter. Arrêtez-la sur l’hyperviseur « { $hypervisor } », ou restaurez les disques ailleurs.

## Jobs
said-cannot-cancel = La tâche « { $id } » ({ $why-kind }) de « { $name } » ne peut pas être annulée : { $why }.
said-has-ended = elle est terminée
said-only-tidying = son point de récupération est complet ; il ne reste qu’à ranger
said-only-backups = seules les sauvegardes et les restaurations peuvent l’être, avant d’être complètes
said-cannot-retry = La tâche « { $id } » ({ $why-kind }) de « { $name } » ne peut pas être refaite : seules les sauvegardes et les restaurations échouées ou annulées peuvent l’être.
said-item-is-gone = L’élément n’est plus là.
said-no-content = La tâche { $id } a fait un point de récupération sans dire ce qu’il contient.
said-lease = Le bail { $lease } de la tâche { $id } est fini ; un autre processus l’a pris.
said-kind-backup = Sauvegarde
said-kind-restore = Restauration
said-kind-configure = Configuration de la sauvegarde
said-kind-disable = Arrêt de la sauvegarde
said-kind-delete = Suppression des données de sauvegarde
said-kind-undelete = Annulation de la suppression

## Policies
said-policy-in-use = La stratégie « { $name } » protège { $list }. Mettez d’abord ces éléments sous une autre stratégie.
said-policy-stays-enhanced = La stratégie « { $name } » est améliorée (V2) et ne peut pas devenir standard (V1). Créez une autre stratégie.
said-policy-taken = Le coffre a déjà une stratégie « { $name } ». Choisissez un autre nom, ou modifiez celle-là.
said-policy-invalid = Les données de la stratégie ne sont pas valables : { $field } { $why }.
said-zone-empty = est vide ; utilisez un nom de fuseau, par exemple « UTC »
said-zone-unknown = ne nomme aucun fuseau : { $text } ; utilisez un nom Windows ou IANA, par exemple { $list }
said-hourly-standard = est Hourly, ce que seule une stratégie améliorée (V2) peut être ; utilisez Daily ou Weekly
said-interval = est de { $hours } heures ; utilisez 4, 6, 8, 12 ou 24
said-window = est de { $hours } heures ; utilisez un multiple de l’intervalle ({ $interval }) de 4 à 24
said-keeps-nothing = ne garde rien ; donnez au moins une durée, par exemple 30 jours
said-no-daily-weekly = ne peut pas y être quand les sauvegardes sont hebdomadaires ; donnez une durée hebdomadaire
said-no-such-run = nomme { $day }, jour sans sauvegarde
said-daily-missing = manque ; une stratégie quotidienne garde ses points 7 à 9999 jours
said-format-daily = est Daily, mais les sauvegardes sont hebdomadaires ; utilisez Weekly
said-instant-long = dépasse la durée quotidienne ; les instantanés ne peuvent pas survivre à leurs points
said-half-hour = est { $text } ; utilisez l’heure pile ou la demie, par exemple 22:30
said-pick-one = est vide ; choisissez-en au moins un, par exemple { $text }
said-twice = nomme deux fois la même valeur
said-out-of-range = vaut { $value } ; utilisez { $least } à { $most } { $why }
said-unit-days = jours
said-unit-weeks = semaines
said-unit-months = mois
said-unit-years = ans
said-unit-date = comme date, ou le dernier jour
said-simulate-days = { $days } jours ne peuvent pas être simulés. Choisissez 1 à { $most } jours.

## What a role allows
said-do-read = lire les ressources
said-do-write-group = créer ou modifier des groupes de ressources
said-do-delete-group = supprimer des groupes de ressources
said-do-write-vault = créer ou modifier des coffres
said-do-delete-vault = supprimer des coffres
said-do-write-policy = créer ou modifier des stratégies de sauvegarde
said-do-delete-policy = supprimer des stratégies de sauvegarde
said-do-protect = protéger des machines virtuelles
said-do-stop = arrêter la protection
said-do-delete-data = supprimer des données de sauvegarde
said-do-undelete = faire revenir des données de sauvegarde supprimées
said-do-backup = lancer des sauvegardes
said-do-restore = restaurer
said-do-cancel = annuler des tâches
said-do-discover = découvrir des machines virtuelles
said-do-deploy = déployer des modèles
said-do-write-resource = créer ou modifier des ressources
said-do-tag = modifier des étiquettes
said-do-power = démarrer ou arrêter des machines virtuelles
said-do-account = créer ou modifier des comptes de stockage
said-do-access = décider qui peut se connecter et ce qu’il peut faire

## Forms of the portal
said-choose-vault = Choisissez un coffre dans la liste.
said-choose-machine = Choisissez une machine dans la liste.
said-choose-one-machine = Choisissez au moins une machine virtuelle.
said-choose-subscription = Choisissez un abonnement dans la liste.
said-choose-target = Choisissez où restaurer : dans un dossier, sur place, ou comme nouvelle machine.
said-confirm-in-place = Une restauration sur place remplace les disques de la machine virtuelle. Confirmez-la avec la case en dessous, ou restaurez dans un dossier.
said-confirm-deletion = Supprimer des données de sauvegarde ne va pas de soi. Confirmez avec la case.

## How whole a point is
said-off = la machine est éteinte
said-was-off = la machine était éteinte
said-agent-froze = l’agent invité a figé les systèmes de fichiers
said-agent-shadow = l’agent invité a pris un cliché instantané de volume
said-agent-unsure = l’agent invité n’a pas dit s’il est resté figé tout le temps
said-thawed-early = quelqu’un a dégelé l’invité avant la prise du point
said-qemu-slow = QEMU a été trop lent pendant que l’invité était figé
said-not-asked = le gel n’était pas demandé
said-no-channel = la machine n’a pas de canal pour un agent invité
said-no-agent = il n’y a pas d’agent invité
said-agent-silent = l’agent invité ne répond pas
said-nothing-to-freeze = l’agent invité n’a trouvé aucun système de fichiers à figer
said-freeze-slow = l’invité ne s’est pas figé en { $duration }
said-freeze-refused = l’agent invité a refusé de figer : { $why }
said-freeze-failed = l’agent invité a échoué en figeant : { $why }
said-frozen-by-others = quelqu’un d’autre a figé les systèmes de fichiers de l’invité
said-agent-cannot-freeze = l’agent invité ne peut pas figer : { $why }
said-maybe-frozen = l’invité est peut-être encore figé : { $why }
said-ext-scripts = l’extension a lancé les scripts et figé les systèmes de fichiers
said-ext-froze = l’extension a figé les systèmes de fichiers
said-ext-says = l’extension dit
said-ext-code = l’extension a fini avec le code { $code }
said-ext-silent = l’extension n’a pas dit à quel point le point est entier
said-ext-none = il n’y a pas d’extension
said-ext-not-there = l’extension n’est pas là : { $why }
said-host-thawed = l’invité n’a pas dit qu’il était dégelé ; l’hôte l’a dégelé
said-guest-thawed = l’invité s’est dégelé seul avant d’apprendre que le point était pris
said-only-crash = Le point de récupération n’est cohérent qu’en cas d’incident : { $why }.
said-gone-with-snapshot = La machine virtuelle n’est plus là ; son instantané est parti avec elle.

## Why everything was read
said-first-backup = c’est la première sauvegarde
said-re-read = tout a été relu, car { $why }
said-disk-new = le disque { $disk } est nouveau
said-disk-smaller = le disque { $disk } a rétréci
said-disk-because = disque { $disk } : { $why }
said-base-unusable = le point le plus récent ne peut pas servir de base : { $why }
said-no-earlier = il n’y a pas de point antérieur
said-no-earlier-compare = il n’y a pas de point antérieur auquel comparer
said-nothing-noted = rien n’est noté sur cet hôte au sujet du point antérieur
said-earlier-without-disk = le point antérieur n’a pas ce disque
said-size-changed = la taille est passée de { $bytes } à { $bytes-now }
said-map-not-stored = QEMU s’est arrêté sans enregistrer la carte des changements
said-map-in-use = quelqu’un d’autre utilise la carte des changements
said-map-gaps = la carte des changements n’a pas enregistré tout le temps
said-map-raw = une image raw ne garde pas de carte des changements quand la machine est éteinte ou démarre
said-map-missing = la carte des changements manque

## Why a job failed
said-cancelled = la tâche a été annulée
said-doing-snapshot = prise de l’instantané
said-doing-transfer = transfert des données vers le coffre
said-doing-validate = validation du point de récupération
said-doing-release = libération de l’instantané
said-doing-delete = suppression du point de récupération
said-doing-newest = recherche du point le plus récent
said-doing-point = recherche du point de récupération
said-doing-read-point = lecture du point de récupération
said-doing-leftovers = recherche de restes de sauvegardes antérieures
said-doing-in-place = restauration sur place
said-doing-replace = remplacement des disques
said-doing-put-back = remise en place des anciens disques
said-doing-off = extinction de la machine
said-doing-ask = interrogation de la machine
said-doing-start = démarrage de la machine
said-doing-stop = arrêt de la machine
said-doing-find = recherche de la machine
said-doing-folder = création du dossier { $path }
said-doing-write-to = écriture dans { $path }
said-doing-read-back = relecture de { $path }
said-doing-write-disk = écriture du disque { $disk }
said-doing-store = création du stockage du coffre
said-doing-open-store = ouverture du stockage du coffre { $vault }
said-no-disk = la machine n’a aucun disque à sauvegarder ; tous sont exclus ou il n’y en a pas
said-snapshot-gone = l’instantané du point de récupération { $point } n’est plus là ; il faut le reprendre
said-vault-no-point = le coffre ne contient pas le point de récupération { $point }
said-there-no-point = il n’y a pas de point de récupération { $point }
said-description = la description du point de récupération { $point } est illisible
said-differs = { $path } n’est pas ce qui a été écrit : { $why }
said-differs-size = il a { $bytes } au lieu de { $bytes-wanted }
said-differs-at = les octets à { $offset } sont différents
said-no-disk-number = le point de récupération n’a pas de disque de données de numéro { $lun }
said-off-first = la machine { $name } doit être éteinte avant le remplacement de ses disques
said-target-vm-gone = la machine dont les disques seraient remplacés n’est plus là
said-no-hypervisor-has = plus aucun hyperviseur n’a la machine virtuelle { $name }
said-vm-is-off = la machine { $name } est éteinte
said-vm-must-be-off = la machine { $name } doit être éteinte pour cela
said-vm-no-start = la machine { $name } n’a pas démarré : { $why }
said-vm-no-disk = la machine { $name } n’a pas de disque { $disk }
said-image-missing = l’image { $path } du disque { $disk } de la machine { $name } manque
said-has-snapshot = la machine { $name } a encore l’instantané { $point } : libérez-le d’abord
said-snapshot-broke = l’instantané { $point } de la machine { $name } s’est rompu : { $why }
said-scratch-full = le dossier de travail { $path } a { $bytes } libres, il en faut au moins { $bytes-needed }
said-ask-qemu = question à QEMU de la machine { $name }
said-ask-agent = question à l’agent invité de la machine { $name }
said-moving-data = déplacement des données du disque { $disk }
said-shrank = le disque { $disk } a rétréci
said-point-let-go = quelqu’un a mis fin à un travail qui gardait le point
said-scratch-block = un ancien bloc n’a pas pu être gardé dans l’espace de travail
said-vm-started = la machine a été démarrée
said-use-store = usage du stockage
said-no-vault-in-store = le stockage ne contient aucun coffre
said-wrong-key = la phrase ou la clé de récupération n’ouvre aucun emplacement de clé de ce coffre
said-damage = dommage dans { $object }, octet { $offset } : { $why }
said-source-read = lecture de la source à l’octet { $offset }
said-target-write = écriture de la cible à l’octet { $offset }
said-no-space = Plus de place sur le périphérique (os error 28)
said-row-gone = ce dont la tâche a besoin n’est plus là ({ $what })

## The activity log
done-enable = { $vm } dans le coffre { $vault } sous la stratégie { $policy }
done-until = { $vm } jusqu’au { $time }
done-restore = { $vm } depuis le point { $point }
done-vault = coffre { $vault } du groupe { $group }
done-policy = stratégie { $policy } du coffre { $vault }
done-vm = machine virtuelle { $vm }
done-group = groupe de ressources { $group }
done-account = compte de stockage { $account }
done-point = point { $point } de { $vm }
done-hypervisors = tous les hyperviseurs
done-secret = { $name } : nouveau secret
done-deletion = suppression de { $what } dans { $scope }
done-deployment = déploiement { $name } dans { $scope }
done-vault-time = heure du coffre confirmée : { $time }
done-cancel-backup = Sauvegarde de { $vm }
done-cancel-restore = Restauration de { $vm }
done-again = { $why }, de nouveau
