# Sentences of the service; recognised by locales/en/sentences.ftl.

## Refusals: who and where
said-not-allowed = '{ $name }' no tiene permiso: { $why }. Un propietario debe darle un rol que lo permita.
said-wrong-secret = No se pudo iniciar sesión: el nombre o el id. de cliente no se conoce, o el secreto es incorrecto.
said-token-of-nobody = El token de acceso nombra a alguien que ya no se conoce. Inicie sesión de nuevo.
said-stopping = El servicio se está deteniendo.
said-not-finished = El servicio no pudo terminar la solicitud. Su registro dice más.
said-stale = Otra persona lo cambió mientras tanto. Vuelva a mirarlo y repita la solicitud.
said-busy = El servicio está ocupado. Vuelva a intentarlo en un momento.
said-database = El servicio no pudo usar su base de datos. Su registro dice más.
said-form-too-large = El formulario es mayor que cualquier formulario de este portal.
said-no-subscription = No se encuentra la suscripción '{ $id }'.
said-no-region = No hay ninguna región '{ $name }'. Use una de estas: { $list }.
said-no-group = No se encuentra el grupo de recursos '{ $name }'.
said-no-vault-id = No hay ningún almacén con el id. '{ $id }'.
said-no-policy = El almacén '{ $vault }' no tiene la directiva de copia de seguridad '{ $name }'. Tiene estas: { $list }.
said-no-vm-id = No hay ninguna máquina virtual con el id. '{ $id }'.
said-no-item-id = No hay ningún elemento protegido con el id. '{ $id }'.
said-no-point-id = No hay ningún punto de recuperación con el id. '{ $id }'.
said-no-job-id = No hay ningún trabajo '{ $id }'.
said-no-vault-job = El almacén no tiene el trabajo '{ $id }'.
said-no-operation = No hay ninguna operación '{ $id }'.
said-no-deployment = No se encuentra la implementación '{ $name }'. Enumere las implementaciones para ver cuáles hay.
said-in-progress-cancel = Hay otra operación en curso en '{ $name }': { $why-kind }, trabajo { $id }. Espere a que termine o cancélela.
said-in-progress = Hay otra operación en curso en '{ $name }': { $why-kind }, trabajo { $id }. Espere a que termine.
said-no-resource = No se encuentra el recurso '{ $name }' en el grupo de recursos '{ $group }'.

## Access
said-password-short = La contraseña tiene menos de { $least } letras. Use al menos { $more }; por ejemplo, cuatro palabras.
said-name-signs-in = '{ $name }' ya puede iniciar sesión. Elija otro nombre.
said-stays-owner = '{ $name }' sigue siendo propietario: alguien tiene que serlo y nadie se quita la propiedad a sí mismo. Haga propietario a otra persona y que lo haga ella.
said-nobody = Nadie con el id. '{ $id }' puede iniciar sesión.
said-user-name = El nombre '{ $name }' no cumple las reglas: de 1 a { $most } letras, dígitos, '-', '_', '.' y '@'; por ejemplo, 'ana'.

## Names
said-vault-name = El nombre de almacén '{ $name }' { $why }. Un nombre de almacén tiene de 2 a 50 caracteres, empieza por una letra y solo contiene letras, dígitos y guiones.
said-group-name = El nombre de grupo de recursos '{ $name }' { $why }. Tiene de 1 a 90 letras, dígitos, guiones bajos, guiones, puntos y paréntesis, y no termina en punto.
said-policy-name = El nombre de directiva '{ $name }' { $why }. Un nombre de directiva tiene de 3 a 150 caracteres, empieza por una letra y solo contiene letras, dígitos y guiones.
said-vm-name = El nombre de máquina virtual '{ $name }' { $why }. Tiene de 1 a 64 letras, dígitos, guiones, guiones bajos y puntos, y empieza por una letra o un dígito.
said-has-characters = tiene { $length } caracteres
said-letter-first = no empieza por una letra
said-letter-or-digit-first = no empieza por una letra ni un dígito
said-contains = contiene '{ $bad }'
said-period-last = termina en punto
said-vault-name-taken = El nombre '{ $name }' está ocupado: lo tiene el almacén '{ $vault }' del grupo de recursos '{ $group }'. Un nombre de almacén es único en su suscripción; elija otro.
said-account-name = El nombre de cuenta de almacenamiento '{ $name }' no cumple las reglas: de 3 a 24 letras minúsculas y dígitos.

## Vaults and groups
said-group-moved = El grupo de recursos '{ $name }' está en la región '{ $here }' y no se puede mover a '{ $there }'.
said-group-holds = El grupo de recursos '{ $name }' todavía contiene: { $list }. Elimine o mueva antes su contenido.
said-vault-moved = El almacén '{ $name }' está en la región '{ $here }' y no se puede mover a '{ $there }'. Cree otro almacén allí.
said-vault-not-empty = El almacén '{ $name }' no se puede eliminar porque contiene: { $list }. Detenga la protección de cada elemento eliminando sus datos; lo eliminado desaparece al acabar su plazo, o de inmediato si antes se desactiva la eliminación temporal.
said-immutability-stays = La inmutabilidad del almacén '{ $name }' está bloqueada; sigue activada.
said-redundancy-stays = La redundancia del almacén '{ $name }' es { $redundancy } y ya no se puede cambiar: la bloquea su primer elemento protegido.
said-soft-delete-days = Los datos eliminados no se pueden conservar { $days } días. Elija de 14 a 180 días.
said-soft-delete-stays = La eliminación temporal del almacén '{ $name }' está siempre activada.
said-vault-time = No se puede leer la hora guardada del almacén: { $why }.

## Machines
said-vm-gone = La máquina virtual '{ $name }' ya no está: el hipervisor '{ $hypervisor }' no la tiene desde { $time }. Recupérela o restáurela desde un punto de recuperación.
said-hypervisor-away = El hipervisor '{ $hypervisor }' de la máquina virtual '{ $name }' no responde desde { $time }. Vuelva a intentarlo cuando responda.
said-vm-not-run = Coffre no ejecuta la máquina virtual '{ $name }'. Iníciela y deténgala en el hipervisor '{ $hypervisor }'.
said-hypervisor-lost-vm = El hipervisor '{ $hypervisor }' ya no tiene '{ $name }'.
said-bring-back = Recupere la máquina virtual, restáurela o detenga la protección.
said-regions-differ = Está en la región '{ $here }' y el almacén en '{ $there }'.
said-protects-already = El almacén '{ $vault }' ya la protege.

## Protection
said-other-region = La máquina virtual '{ $name }' está en la región '{ $here }', pero el almacén '{ $vault }' está en la región '{ $there }'. Use o cree un almacén en la región '{ $again }'.
said-other-subscription = La máquina virtual '{ $name }' está en otra suscripción que el almacén.
said-earlier-vm = El almacén '{ $vault }' contiene puntos de recuperación de una máquina virtual anterior '{ $name }' del grupo de recursos '{ $group }'. Detenga antes la protección de ese elemento eliminando sus datos, o cambie el nombre de la máquina nueva.
said-other-vault = La máquina virtual '{ $name }' está protegida por el almacén '{ $vault }' del grupo de recursos '{ $group }'. Un solo almacén protege una máquina virtual: use ese, o detenga allí la protección eliminando los datos.
said-back-to-standard = Un elemento con una directiva mejorada ('{ $old }') no puede volver a una estándar ('{ $new }'). Elija una directiva mejorada.
said-data-was-deleted = Los datos de copia de seguridad de '{ $name }' se eliminaron y se conservan hasta { $time }. Recupérelos antes.
said-no-lun = La máquina virtual '{ $name }' no tiene ningún disco de datos con el LUN { $lun }; tiene estos: { $list }.
said-no-item = El almacén '{ $vault }' no protege ninguna máquina virtual '{ $name }' del grupo de recursos '{ $group }'.
said-stopped = La protección de '{ $name }' está detenida. Reanúdela con una directiva y haga después la copia.
said-until = El punto de recuperación no se puede conservar hasta { $time }: esa fecha { $why }. Elija una posterior a { $time-now } y no posterior a { $time-last }.
said-not-in-future = no está en el futuro
said-century = está a más de 99 años
said-no-date = '{ $text }' no es una fecha. Escríbala como año-mes-día, por ejemplo 2027-01-31.
said-as-policy-says = Los puntos de '{ $name }' solo se pueden conservar según su directiva en un almacén inmutable, y '{ $vault }' no lo es. Detenga la protección conservando los datos o active la inmutabilidad.
said-immutable-delete = El almacén '{ $vault }' es inmutable: los { $count } puntos de recuperación de '{ $name }' no se pueden eliminar antes de tiempo. Detenga la protección conservando los datos.
said-immutable-reduce = El almacén '{ $vault }' es inmutable: { $field } de '{ $policy }' conservaría los puntos de recuperación menos tiempo que el de '{ $old }'. La programación puede cambiar y la retención puede crecer.
said-not-deleted = Los datos de copia de seguridad de '{ $name }' no se eliminaron.

## Points
said-point-cannot = El punto de recuperación '{ $point }' de '{ $name }' { $why }.
said-point-cannot-immutable = El punto de recuperación '{ $point }' de '{ $name }' no se puede eliminar antes de tiempo: el almacén '{ $vault }' es inmutable.
said-point-newest = El punto de recuperación '{ $point }' de '{ $name }' es el más reciente y la próxima copia se apoya en él. Haga antes otra copia, o detenga la protección eliminando los datos.
said-being-removed = se está quitando
said-was-not-deleted = no se eliminó
said-was-deleted-before = ya se había eliminado
said-item-no-point = '{ $name }' no tiene el punto de recuperación '{ $point }'.
said-point-was-deleted = El punto de recuperación '{ $point }' de '{ $name }' se eliminó. Recupérelo antes o use otro.
said-no-account = No hay ninguna cuenta de almacenamiento '{ $name }'. Hay estas: { $list }.
said-account-region = La cuenta de almacenamiento '{ $name }' está en la región '{ $here }', pero el almacén '{ $vault }' está en la región '{ $there }'. Use una de la región del almacén.
said-vm-name-taken = El grupo de recursos '{ $group }' ya tiene una máquina virtual '{ $name }'. Elija otro nombre.
said-point-no-lun = El punto de recuperación '{ $point }' no tiene ningún disco de datos con el LUN { $lun }; tiene estos: { $list }.
said-must-be-off = La máquina virtual '{ $name }' debe estar apagada antes de reemplazar sus discos, y Coffre no puede detenerla. Deténgala en el hipervisor '{ $hypervisor }' o restaure los discos en otro lugar.

## Jobs
said-cannot-cancel = El trabajo '{ $id }' ({ $why-kind }) de '{ $name }' no se puede cancelar: { $why }.
said-has-ended = ha terminado
said-only-tidying = su punto de recuperación está completo; solo queda limpiar
said-only-backups = solo se pueden cancelar copias y restauraciones, antes de estar completas
said-cannot-retry = El trabajo '{ $id }' ({ $why-kind }) de '{ $name }' no se puede repetir: solo las copias y restauraciones que fallaron o se cancelaron.
said-item-is-gone = El elemento ya no está.
said-no-content = El trabajo { $id } creó un punto de recuperación sin decir qué contiene.
said-lease = La concesión { $lease } del trabajo { $id } ha terminado; la tiene otro proceso.
said-kind-backup = Copia de seguridad
said-kind-restore = Restauración
said-kind-configure = Configurar copia de seguridad
said-kind-disable = Detener copia de seguridad
said-kind-delete = Eliminar datos de copia de seguridad
said-kind-undelete = Recuperar

## Policies
said-policy-in-use = La directiva '{ $name }' protege { $list }. Ponga antes esos elementos bajo otra directiva.
said-policy-stays-enhanced = La directiva '{ $name }' es mejorada (V2) y no puede pasar a estándar (V1). Cree otra directiva.
said-policy-taken = El almacén ya tiene una directiva '{ $name }'. Elija otro nombre o edite esa.
said-policy-invalid = Los datos de la directiva no son válidos: { $field } { $why }.
said-zone-empty = está vacío; use un nombre de zona, por ejemplo 'UTC'
said-zone-unknown = no nombra ninguna zona: { $text }; use un nombre de Windows o IANA, por ejemplo { $list }
said-hourly-standard = es Hourly, que solo puede ser una directiva mejorada (V2); use Daily o Weekly
said-interval = es de { $hours } horas; use 4, 6, 8, 12 o 24
said-window = es de { $hours } horas; use un múltiplo del intervalo ({ $interval }) de 4 a 24
said-keeps-nothing = no conserva nada; indique al menos un intervalo, por ejemplo 30 días
said-no-daily-weekly = no puede estar cuando las copias son semanales; indique un intervalo semanal
said-no-such-run = nombra { $day }, día en que no hay copia
said-daily-missing = falta; una directiva diaria conserva sus puntos de 7 a 9999 días
said-format-daily = es Daily, pero las copias son semanales; use Weekly
said-instant-long = es más largo que el intervalo diario; las instantáneas no pueden sobrevivir a sus puntos
said-half-hour = es { $text }; use la hora en punto o y media, por ejemplo 22:30
said-pick-one = está vacío; elija al menos uno, por ejemplo { $text }
said-twice = nombra un valor dos veces
said-out-of-range = es { $value }; use de { $least } a { $most } { $why }
said-unit-days = días
said-unit-weeks = semanas
said-unit-months = meses
said-unit-years = años
said-unit-date = como fecha, o el último día
said-simulate-days = No se pueden simular { $days } días. Elija de 1 a { $most } días.

## What a role allows
said-do-read = leer recursos
said-do-write-group = crear o cambiar grupos de recursos
said-do-delete-group = eliminar grupos de recursos
said-do-write-vault = crear o cambiar almacenes
said-do-delete-vault = eliminar almacenes
said-do-write-policy = crear o cambiar directivas de copia de seguridad
said-do-delete-policy = eliminar directivas de copia de seguridad
said-do-protect = proteger máquinas virtuales
said-do-stop = detener la protección
said-do-delete-data = eliminar datos de copia de seguridad
said-do-undelete = recuperar datos de copia de seguridad eliminados
said-do-backup = iniciar copias de seguridad
said-do-restore = restaurar
said-do-cancel = cancelar trabajos
said-do-discover = detectar máquinas virtuales
said-do-deploy = implementar plantillas
said-do-write-resource = crear o cambiar recursos
said-do-tag = cambiar etiquetas
said-do-power = iniciar o detener máquinas virtuales
said-do-account = crear o cambiar cuentas de almacenamiento
said-do-access = decidir quién puede iniciar sesión y qué puede hacer

## Forms of the portal
said-choose-vault = Elija un almacén de la lista.
said-choose-machine = Elija una máquina de la lista.
said-choose-one-machine = Elija al menos una máquina virtual.
said-choose-subscription = Elija una suscripción de la lista.
said-choose-target = Elija dónde restaurar: en una carpeta, en el mismo lugar o como máquina nueva.
said-confirm-in-place = Una restauración en el mismo lugar reemplaza los discos de la máquina virtual. Confírmela con la casilla de debajo o restaure en una carpeta.
said-confirm-deletion = Eliminar datos de copia de seguridad no se da por supuesto. Confírmelo con la casilla.

## How whole a point is
said-off = la máquina está apagada
said-was-off = la máquina estaba apagada
said-agent-froze = el agente invitado congeló los sistemas de archivos
said-agent-shadow = el agente invitado hizo una instantánea de volumen
said-agent-unsure = el agente invitado no dijo si estuvo congelado todo el tiempo
said-thawed-early = alguien descongeló el invitado antes de tomar el punto
said-qemu-slow = QEMU tardó demasiado mientras el invitado estaba congelado
said-not-asked = no se pidió congelar
said-no-channel = la máquina no tiene canal para un agente invitado
said-no-agent = no hay agente invitado
said-agent-silent = el agente invitado no responde
said-nothing-to-freeze = el agente invitado no encontró ningún sistema de archivos que congelar
said-freeze-slow = el invitado no se congeló en { $duration }
said-freeze-refused = el agente invitado se negó a congelar: { $why }
said-freeze-failed = el agente invitado falló al congelar: { $why }
said-frozen-by-others = otro tiene congelados los sistemas de archivos del invitado
said-agent-cannot-freeze = el agente invitado no puede congelar: { $why }
said-maybe-frozen = el invitado puede seguir congelado: { $why }
said-ext-scripts = la extensión ejecutó los scripts y congeló los sistemas de archivos
said-ext-froze = la extensión congeló los sistemas de archivos
said-ext-says = la extensión dice
said-ext-code = la extensión terminó con el código { $code }
said-ext-silent = la extensión no informó de lo íntegro que es el punto
said-ext-none = no hay extensión
said-ext-not-there = la extensión no está: { $why }
said-host-thawed = el invitado no dijo que se descongelara; lo descongeló el anfitrión
said-guest-thawed = el invitado se descongeló solo antes de saber que el punto estaba tomado
said-only-crash = El punto de recuperación solo es coherente frente a bloqueos: { $why }.
said-gone-with-snapshot = La máquina virtual ya no está; su instantánea se fue con ella.

## Why everything was read
said-first-backup = es la primera copia
said-re-read = se volvió a leer todo porque { $why }
said-disk-new = el disco { $disk } es nuevo
said-disk-smaller = el disco { $disk } se redujo
said-disk-because = disco { $disk }: { $why }
said-base-unusable = no se puede partir del punto más reciente: { $why }
said-no-earlier = no hay ningún punto anterior
said-no-earlier-compare = no hay ningún punto anterior con el que comparar
said-nothing-noted = en este anfitrión no hay nada anotado sobre el punto anterior
said-earlier-without-disk = el punto anterior no tiene este disco
said-size-changed = el tamaño cambió de { $bytes } a { $bytes-now }
said-map-not-stored = QEMU terminó sin guardar el mapa de cambios
said-map-in-use = otro usa el mapa de cambios
said-map-gaps = el mapa de cambios no registró todo el tiempo
said-map-raw = una imagen raw no conserva mapa de cambios cuando la máquina está apagada o arranca
said-map-missing = falta el mapa de cambios

## Why a job failed
said-cancelled = el trabajo se canceló
said-doing-snapshot = tomar la instantánea
said-doing-transfer = transferir datos al almacén
said-doing-validate = validar el punto de recuperación
said-doing-release = liberar la instantánea
said-doing-delete = eliminar el punto de recuperación
said-doing-newest = buscar el punto más reciente
said-doing-point = buscar el punto de recuperación
said-doing-read-point = leer el punto de recuperación
said-doing-leftovers = buscar restos de copias anteriores
said-doing-in-place = restaurar en el mismo lugar
said-doing-replace = reemplazar los discos
said-doing-put-back = volver a poner los discos antiguos
said-doing-off = apagar la máquina
said-doing-ask = preguntar a la máquina
said-doing-start = iniciar la máquina
said-doing-stop = detener la máquina
said-doing-find = buscar la máquina
said-doing-folder = crear la carpeta { $path }
said-doing-write-to = escribir en { $path }
said-doing-read-back = volver a leer { $path }
said-doing-write-disk = escribir el disco { $disk }
said-doing-store = crear el almacenamiento del almacén
said-doing-open-store = abrir el almacenamiento del almacén { $vault }
said-no-disk = la máquina no tiene discos que copiar; todos están excluidos o no hay ninguno
said-snapshot-gone = la instantánea del punto de recuperación { $point } ya no está; hay que volver a tomarla
said-vault-no-point = el almacén no contiene el punto de recuperación { $point }
said-there-no-point = no hay ningún punto de recuperación { $point }
said-description = no se puede leer la descripción del punto de recuperación { $point }
said-differs = { $path } no es lo que se escribió: { $why }
said-differs-size = tiene { $bytes } en lugar de { $bytes-wanted }
said-differs-at = los bytes en { $offset } son distintos
said-no-disk-number = el punto de recuperación no tiene ningún disco de datos con el número { $lun }
said-off-first = la máquina { $name } debe estar apagada antes de reemplazar sus discos
said-target-vm-gone = la máquina cuyos discos se reemplazarían ya no está
said-no-hypervisor-has = ningún hipervisor tiene ya la máquina virtual { $name }
said-vm-is-off = la máquina { $name } está apagada
said-vm-must-be-off = la máquina { $name } debe estar apagada para esto
said-vm-no-start = la máquina { $name } no arrancó: { $why }
said-vm-no-disk = la máquina { $name } no tiene el disco { $disk }
said-image-missing = falta la imagen { $path } del disco { $disk } de la máquina { $name }
said-has-snapshot = la máquina { $name } todavía tiene la instantánea { $point }: libérela antes
said-snapshot-broke = la instantánea { $point } de la máquina { $name } se rompió: { $why }
said-scratch-full = la carpeta de trabajo { $path } tiene { $bytes } libres y hacen falta al menos { $bytes-needed }
said-ask-qemu = al preguntar a QEMU de la máquina { $name }
said-ask-agent = al preguntar al agente invitado de la máquina { $name }
said-moving-data = al mover datos del disco { $disk }
said-shrank = el disco { $disk } se redujo
said-point-let-go = alguien terminó un trabajo que conservaba el punto
said-scratch-block = no se pudo conservar un bloque antiguo en el espacio de trabajo
said-vm-started = la máquina se inició
said-use-store = uso del almacenamiento
said-no-vault-in-store = el almacenamiento no contiene ningún almacén
said-wrong-key = la frase o la clave de recuperación no abre ninguna ranura de clave de este almacén
said-damage = daño en { $object }, byte { $offset }: { $why }
said-source-read = leer el origen en el byte { $offset }
said-target-write = escribir el destino en el byte { $offset }
said-no-space = No queda espacio en el dispositivo (os error 28)
said-row-gone = lo que necesita el trabajo ya no está ({ $what })

## The activity log
done-enable = { $vm } en el almacén { $vault } con la directiva { $policy }
done-until = { $vm } hasta { $time }
done-restore = { $vm } desde el punto { $point }
done-vault = almacén { $vault } del grupo { $group }
done-policy = directiva { $policy } del almacén { $vault }
done-vm = máquina virtual { $vm }
done-group = grupo de recursos { $group }
done-account = cuenta de almacenamiento { $account }
done-point = punto { $point } de { $vm }
done-hypervisors = todos los hipervisores
done-secret = { $name }: secreto nuevo
done-deletion = eliminación de { $what } en { $scope }
done-deployment = implementación { $name } en { $scope }
done-vault-time = hora del almacén confirmada: { $time }
done-cancel-backup = Copia de seguridad de { $vm }
done-cancel-restore = Restauración de { $vm }
done-again = { $why }, de nuevo
