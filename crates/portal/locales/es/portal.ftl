## Frame
overview = Información general
vms = Máquinas virtuales
vm = Máquina virtual
vaults = Almacenes de Recovery Services
vault = Almacén de Recovery Services
items = Elementos de copia de seguridad
item = Elemento de copia de seguridad
jobs = Trabajos de copia de seguridad
job = Trabajo
points = Puntos de recuperación
point = Punto de recuperación
navigation = Navegación principal
crumbs = Está aquí
skip-to-content = Ir al contenido
preferences = Preferencias
language = Idioma
theme = Colores
theme-auto = Como el sistema
theme-light = Claro
theme-dark = Oscuro
apply = Aplicar
essentials = Información esencial
show-all = Mostrar todo
to-overview = Ir a la información general
to-vms = Ir a las máquinas virtuales
notifications = Notificaciones
notifications-new = { $count ->
    [one] Notificaciones: 1 nueva
   *[other] Notificaciones: { $count } nuevas
}
notification-new = Nueva
notifications-read = Marcar todo como leído
notifications-none = Nada que contar
notifications-none-text = Aquí aparecen los trabajos que terminan y lo que sale mal.
az-copy = Copiar como comando az
az-copy-button = Copiar
az-copied = Copiado

## Signing in
sign-in = Iniciar sesión
sign-out = Cerrar sesión
sign-in-text = Con el mismo nombre o id. de cliente y el mismo secreto que para az.
sign-in-name = Nombre o id. de cliente
sign-in-secret = Contraseña o secreto

## Columns and fields
name = Nombre
group = Grupo de recursos
region = Región
subscription = Suscripción
subscription-id = Id. de suscripción
state = Situación
status = Estado
time = Fecha y hora
size = Tamaño
created = Fecha de creación
duration = Duración
start-time = Hora de inicio
end-time = Hora de finalización
operation = Operación
actions = Acciones
schedule = Programación
retention = Retención
save = Guardar
create = Crear
create-new = Crear nuevo
choose = Elegir
cancel = Cancelar
none-yet = Todavía ninguno
refresh = Actualizar
percent = { $value } %
filter-name = Nombre o grupo de recursos
filter-all = Todo
filter-protected = Protegida
filter-apply = Filtrar
filter-period = Período
filter-days = { $count ->
    [one] Últimas 24 horas
   *[other] Últimos { $count } días
}
pages = Páginas
page-previous = Anterior
page-next = Siguiente
page-rows = { $from } a { $to } de { $count }
nothing-found = No se encontró nada
nothing-found-text = Ninguna entrada coincide con el filtro.

## Overview
tile-unprotected = { $count ->
    [0] todas son elementos de copia
    [one] 1 sin proteger
   *[other] { $count } sin proteger
}
tile-no-items = todavía no se protege nada
tile-attention = { $count ->
    [0] todo en orden
    [one] 1 requiere atención
   *[other] { $count } requieren atención
}
tile-failed = { $count ->
    [0] ninguno con errores en 24 horas
    [one] 1 con errores en 24 horas
   *[other] { $count } con errores en 24 horas
}
tile-vaults = { $count ->
    [one] en 1 almacén
   *[other] en { $count } almacenes
}
jobs-in-progress = Trabajos en curso
points-newest = Puntos de recuperación más recientes

## Virtual machines
power = Estado de energía
power-running = En ejecución
power-paused = En pausa
power-stopped = Detenida
power-unknown = Desconocida
vm-missing = Desaparecida
vm-unreachable = El hipervisor no responde
vm-missing-text = El hipervisor { $hypervisor } no tiene esta máquina desde el { $time }. Sus puntos de recuperación todavía se pueden restaurar.
vm-unreachable-text = El hipervisor { $hypervisor } no responde desde el { $time }. Aquí ve lo que se sabía entonces.
agent = Agente invitado
agent-ready = Listo
agent-silent = Sin respuesta
agent-not-configured = No configurado
agent-silent-advice = El agente invitado no responde. Instale e inicie qemu-guest-agent en la máquina; hasta entonces las copias de seguridad son coherentes frente a bloqueos.
agent-not-configured-advice = La máquina no tiene canal para el agente invitado, por lo que las copias de seguridad son coherentes frente a bloqueos. Agregue un canal virtio-serial llamado org.qemu.guest_agent.0 e instale qemu-guest-agent.
extension = Extensión de VM
extension-not-offered = No se ofrece
extension-absent = Llega en cuanto la máquina se ejecute y su agente responda
extension-installed = Lista
extension-failed = Con error
extension-failed-text = No se puede usar la extensión VMSnapshot: { $reason }. Las copias continúan con el agente invitado.
os = Sistema operativo
cpus-memory = CPU / memoria
hypervisor = Hipervisor
last-seen = Último contacto
backup = Copia de seguridad
vm-not-protected = Sin proteger
vm-back-up = Habilitar copia
vm-can-be-chosen = Se puede elegir
vms-choose = Seleccionar máquinas virtuales
vms-refresh = Buscar máquinas nuevas
vms-none = Todavía no hay máquinas virtuales
vms-none-text = Ningún hipervisor configurado tiene máquinas, o todavía no se ha consultado ninguno.
vm-jobs-none-text = Todavía no se ha copiado ni restaurado nada de esta máquina.
disks = Discos
disk-role = Función
disk-os = Disco del SO
disk-lun = Disco de datos, LUN { $lun }
disk-format = Formato
disk-backed-up = Incluido en la copia
disk-left-out = Excluido
count-vms = { $count ->
    [0] ninguna máquina virtual
    [one] 1 máquina virtual
   *[other] { $count } máquinas virtuales
}

## Vaults
vault-create = Crear almacén
vault-delete = Eliminar almacén
vault-back-up = Copia de seguridad de máquinas virtuales
vault-name-hint = De 2 a 50 letras, dígitos y guiones; primero una letra; único en la suscripción.
vault-new-name = Nombre del almacén nuevo
vaults-none = Todavía no hay almacenes
vaults-none-text = Un almacén de Recovery Services guarda los puntos de recuperación de las máquinas virtuales de una región. Cree uno para cada región que tenga máquinas que proteger.
vault-items-none-text = Este almacén todavía no protege ninguna máquina virtual.
subscription-only = Suscripción: { $name }
group-new = O un grupo de recursos nuevo
group-new-hint = Déjelo vacío para usar el elegido arriba.
region-hint = Un almacén solo protege máquinas virtuales de su propia región.
redundancy = Replicación de almacenamiento
redundancy-geo = Redundancia geográfica
redundancy-local = Redundancia local
redundancy-zone = Redundancia de zona
redundancy-geo-text = Una copia más en otro sitio. Coffre no la hace: ponga los datos en un almacenamiento que se replique allí por sí mismo.
redundancy-local-text = Una sola copia, en el almacenamiento de la región. No sobrevive a la pérdida del sitio.
redundancy-zone-text = Copias en varias zonas. Coffre no las hace: ponga los datos en un almacenamiento que abarque varias zonas.
redundancy-hint = Se puede cambiar hasta que el almacén proteja su primer elemento.
redundancy-open = Se puede elegir hasta que el almacén proteja su primer elemento
redundancy-saved = Guardado: { $redundancy }.
redundancy-locked = { $redundancy }. Ya no se puede cambiar: el almacén protege o ha protegido elementos. Para otra opción, cree otro almacén.
soft-delete = Eliminación temporal
soft-delete-disabled = Desactivada: los datos eliminados desaparecen de inmediato
soft-delete-enabled = { $count ->
    [one] Activada: los datos eliminados se pueden recuperar durante 1 día
   *[other] Activada: los datos eliminados se pueden recuperar durante { $count } días
}
soft-delete-always-on = { $count ->
    [one] Siempre activada: los datos eliminados se pueden recuperar durante 1 día
   *[other] Siempre activada: los datos eliminados se pueden recuperar durante { $count } días
}
immutability = Inmutabilidad
immutability-disabled = Desactivada
immutability-unlocked = Activada, sin bloquear
immutability-locked = Activada y bloqueada

## Policies
policy = Directiva de copia de seguridad
policies = Directivas de copia de seguridad
policy-choose = Elegir directiva de copia de seguridad
policy-daily = Todos los días a las { $time } ({ $zone })
policy-weekly = Cada { $days } a las { $time } ({ $zone })
policy-hourly = Cada { $interval } horas desde las { $time }, durante { $window } horas ({ $zone })
policy-only-crash = El invitado nunca se congela: puntos solo coherentes frente a bloqueos
retention-daily = { $count ->
    [one] Los puntos diarios se conservan 1 día
   *[other] Los puntos diarios se conservan { $count } días
}
retention-weekly = { $count ->
    [one] Los puntos semanales ({ $days }) se conservan 1 semana
   *[other] Los puntos semanales ({ $days }) se conservan { $count } semanas
}
retention-monthly = { $count ->
    [one] Los puntos mensuales ({ $days }) se conservan 1 mes
   *[other] Los puntos mensuales ({ $days }) se conservan { $count } meses
}
retention-yearly = { $count ->
    [one] Los puntos anuales ({ $days }; { $months }) se conservan 1 año
   *[other] Los puntos anuales ({ $days }; { $months }) se conservan { $count } años
}
days-of-weeks = { $weeks } { $days }
day-last = último día
day-sunday = domingo
day-monday = lunes
day-tuesday = martes
day-wednesday = miércoles
day-thursday = jueves
day-friday = viernes
day-saturday = sábado
week-first = primer
week-second = segundo
week-third = tercer
week-fourth = cuarto
week-last = último
month-january = enero
month-february = febrero
month-march = marzo
month-april = abril
month-may = mayo
month-june = junio
month-july = julio
month-august = agosto
month-september = septiembre
month-october = octubre
month-november = noviembre
month-december = diciembre

## Enabling backup
enable-backup = Habilitar copia de seguridad
protect-region = En la región { $region }
protect-other-region = está en la región { $region }; un almacén solo protege máquinas de su propia región
protect-others = { $count ->
    [one] 1 almacén no se puede elegir
   *[other] { $count } almacenes no se pueden elegir
}
protect-new-vault-hint = Se crea en el grupo de recursos { $group } y la región { $region }, como la máquina.
new-vault-redundancy = Su replicación del almacenamiento es «Redundancia geográfica» y ya no se puede cambiar una vez protegida la máquina. Para otra, cree antes el almacén.
protect-default-policy = La máquina recibe la directiva DefaultPolicy del almacén: todos los días, se conserva 30 días.
protect-no-vault = No hay ningún almacén en la región de la máquina y su rol no permite crear uno. Pida a un propietario que lo cree.
protect-start = Iniciar ahora la primera copia de seguridad
protect-start-hint = Habilitar no crea ningún punto de recuperación; lo crea la primera copia de seguridad.

## Backup items
items-none = Todavía no hay nada protegido
items-none-text = Elija una máquina virtual y habilite su copia de seguridad.
item-protected = Protegida
item-initial-pending = Advertencia (copia de seguridad inicial pendiente)
item-initial-pending-text = Todavía no hay ningún punto de recuperación. Lo crea la primera copia de seguridad: iníciela con Realizar copia de seguridad ahora.
item-last-failed = Error en la última copia de seguridad
item-stopped = Protección detenida
item-stopped-text = { $count ->
    [0] No se realizan más copias de seguridad. No hay ningún punto de recuperación.
    [one] No se realizan más copias de seguridad. Su punto de recuperación se conserva.
   *[other] No se realizan más copias de seguridad. Sus { $count } puntos de recuperación se conservan.
}
item-deleted = Datos eliminados
item-deleted-text = { $count ->
    [one] Su punto de recuperación se quita después del { $time }. Hasta entonces se puede recuperar.
   *[other] Sus { $count } puntos de recuperación se quitan después del { $time }. Hasta entonces se pueden recuperar.
}
item-resume = Reanudar la protección
item-change-policy = Cambiar directiva
item-stop = Detener copia de seguridad
item-delete = Eliminar datos de copia de seguridad
item-undelete = Anular eliminación
item-running-job = Mostrar el trabajo en curso
to-item = Mostrar elemento de copia de seguridad
last-backup = Estado de la última copia
last-point = Último punto de recuperación
pre-check = Comprobación previa
health-passed = Correcta
health-action-required = Acción necesaria
health-action-suggested = Acción recomendada

## Recovery points
points-none = Todavía no hay puntos de recuperación
points-none-text = Los puntos de recuperación aparecen aquí después de la primera copia de seguridad.
item-points-none-text = La primera copia de seguridad crea el primer punto de recuperación.
certificate = Certificado
certificate-until = válido hasta
certificate-remove = Quitar
certificate-add = Agregar un certificado
certificate-pem = Certificado en PEM (clave RSA; la clave privada se queda en el programa)
device-title = Iniciar sesión en otro dispositivo
device-text = Un programa en otro dispositivo, como az login --use-device-code, muestra un código. Quien lo deja entrar le da todo lo que puede hacer { $name }. Escriba solo un código que haya pedido usted.
device-code = Código
device-wrong = Este código no se conoce o ha caducado. Empiece de nuevo en el otro dispositivo.
device-allow = Dejar entrar
device-refuse = Rechazar
device-allowed = El otro dispositivo ha iniciado sesión.
device-refused = Se ha rechazado el otro dispositivo.
count-points = { $count ->
    [one] 1 punto de recuperación
   *[other] { $count } puntos de recuperación
}
point-newest = Punto de recuperación más reciente
point-oldest = Punto de recuperación más antiguo
point-moved = { $read } leídos, { $stored } almacenados
point-read-whole = Leído por completo: { $reason }
point-not-validated = Sin validar
point-no-freeze = Sin congelar
consistency = Coherencia
consistency-application = Coherente con la aplicación
consistency-file-system = Coherente con el sistema de archivos
consistency-crash = Coherente frente a bloqueos
consistency-reason = Motivo
freeze = Tiempo congelado
kept-until = Se conserva hasta
kept-for-ever = Sin fecha límite
tier = Nivel
tier-instant = Instantánea
tier-vault = Almacén
tier-archive = Archivo
tier-instant-until = Instantánea (hasta el { $time })
tier-no-snapshot = sin instantánea: { $why }

## Back up now
backup-now = Realizar copia de seguridad ahora
retain-until = Conservar la copia hasta
retain-until-hint = Último día en que se conserva el punto de recuperación, en UTC.

## Restore
restore = Restaurar
restore-where = Dónde restaurar
restore-to-folder = Carpeta de una cuenta de almacenamiento
restore-to-folder-text = Escribe los discos como archivos de imagen en una carpeta nueva. No se cambia nada más.
restore-in-place = En el mismo lugar
restore-in-place-text = Reemplaza los discos de la máquina. Los discos actuales se guardan hasta que los restaurados estén comprobados.
restore-new-vm = Máquina nueva
restore-new-vm-text = Crea otra máquina con todos los discos. La máquina actual no se toca.
restore-new-vm-name = Nombre de la máquina nueva
restore-stops-vm = La restauración detiene la máquina si está en ejecución.
restore-vm-must-be-off = La máquina debe estar apagada. Deténgala primero en el hipervisor { $hypervisor }.
restore-sure = Reemplazar los discos de { $name }
restore-os-always = El disco del SO se restaura siempre.
restore-folder = Carpeta
storage-account = Cuenta de almacenamiento
restored-files = Archivos restaurados

## Stopping
stop-what = ¿Qué pasa con los puntos de recuperación?
stop-keep = Conservar los datos de copia de seguridad
stop-keep-text = { $count ->
    [0] No se realizan más copias de seguridad. No hay ningún punto de recuperación.
    [one] No se realizan más copias de seguridad. El punto de recuperación permanece hasta que alguien lo elimine, y se puede restaurar.
   *[other] No se realizan más copias de seguridad. Los { $count } puntos de recuperación permanecen hasta que alguien los elimine, y se pueden restaurar.
}
stop-delete = Eliminar los datos de copia de seguridad
stop-delete-now = { $count ->
    [0] No hay ningún punto de recuperación.
    [one] El punto de recuperación se quita de inmediato y no se puede recuperar.
   *[other] Los { $count } puntos de recuperación se quitan de inmediato y no se pueden recuperar.
}
stop-delete-soft = { $count ->
    [0] No hay ningún punto de recuperación; el elemento se puede recuperar durante { $days } días.
    [one] El punto de recuperación se puede recuperar durante { $days } días; después se quita.
   *[other] Los { $count } puntos de recuperación se pueden recuperar durante { $days } días; después se quitan.
}
stop-sure = Eliminar los datos de copia de seguridad de { $name }
stop-nothing = No hay nada que detener: las copias de seguridad ya están detenidas y los datos no se pueden eliminar ahora.
stop-and-delete = Detener y eliminar

## Jobs
job-name = Nombre de la carga de trabajo
jobs-none = Todavía no hay trabajos
jobs-none-text = Las copias de seguridad y las restauraciones aparecen aquí en cuanto se inician.
job-in-progress = En curso
job-queued = En cola
job-cancelling = Cancelando
job-completed = Completado
job-completed-with-warnings = Completado con advertencias
job-failed = Error
job-cancelled = Cancelado
job-cancel = Cancelar trabajo
job-not-started = Todavía no iniciado
job-progress = Progreso de la transferencia de datos
job-bytes = { $done } de { $total }
job-left = quedan unos { $time }
job-retrying = { $count ->
    [one] El paso falló una vez y se está intentando de nuevo.
   *[other] El paso falló { $count } veces y se está intentando de nuevo.
}
operation-backup = Copia de seguridad
operation-backup-scheduled = Copia de seguridad (programada)
operation-restore-disks = Restauración de discos
operation-restore-in-place = Restauración en el mismo lugar
operation-restore-new-vm = Restauración como máquina nueva
operation-configure-backup = Configuración de copia de seguridad
operation-disable-backup = Detención de copia de seguridad
operation-delete-backup-data = Eliminación de datos de copia de seguridad
operation-undelete = Anulación de la eliminación
job-start-vm = Inicio de máquina virtual
job-stop-vm = Detención de máquina virtual
operation-start-vm = Iniciar máquina virtual
operation-stop-vm = Detener máquina virtual
operation-refresh = Detección de máquinas virtuales
steps = Pasos
step = Paso
step-take-snapshot = Tomar instantánea
step-transfer-to-vault = Transferir datos al almacén
step-validate = Validar
step-release-snapshot = Liberar instantánea
step-prepare-restore = Preparar destino
step-transfer-from-vault = Transferir datos desde el almacén
step-publish-restore = Colocar en su sitio
step-delete-points = Eliminar puntos de recuperación
step-not-started = Sin iniciar
step-undone = Deshecho
bytes-read = Datos leídos
bytes-new = Datos nuevos para el almacén
bytes-stored = Datos almacenados
bytes-written = Datos escritos
read-whole-because = Leído por completo porque

## Errors
error-status = Estado HTTP { $status }
error-no-page = Esta página no existe
error-no-page-text = La dirección es incorrecta o lo que mostraba ya no existe.
error-forged = No se puede aceptar el formulario
error-forged-text = No lo envió una página de este portal, o la página se abrió hace demasiado tiempo. No se ha cambiado nada. Abra la página de nuevo y repita la acción.

## Policy editor
policy-create = Crear directiva
policy-delete = Eliminar directiva
policy-preview = Mostrar qué hace
policy-more = Más
policy-kind = Subtipo de directiva
policy-standard = Estándar (V1): una vez al día o a la semana
policy-enhanced = Mejorada (V2): hasta cada 4 horas
policy-items = { $count ->
    [0] no protege ningún elemento
    [one] protege 1 elemento
   *[other] protege { $count } elementos
}
every-day = todos los días
every-week = algunos días de la semana
every-hours = cada pocas horas
s-back-up = Hacer copia
s-on = los
s-at = a las
s-every = cada
s-interval = Horas entre dos copias
s-window = Horas de la primera a la última copia
s-hours-during = horas, durante
s-hours-from = horas desde las
s-in-zone = en la zona horaria
s-clocks = Cuando cambia la hora
clocks-wall = se mantiene la hora local
clocks-fixed = rige todo el año el desfase estándar de la zona
s-keep-daily = Conservar el punto de cada día durante
s-days = días
s-short = permitir menos de 7 días
s-keep-weekly = Conservar puntos semanales durante
s-weeks = semanas
s-keep-monthly = Conservar puntos mensuales durante
s-months = meses
s-keep-yearly = Conservar puntos anuales durante
s-years = años
s-instant = Restauración instantánea desde instantáneas durante
weekdays = Días de la semana
weeks = Semanas del mes
months = Meses del año
days-of-month = Días del mes
by-weekday = por día de la semana
by-date = por fecha
runs-next = Próximas cinco ejecuciones
runs-local = Hora local
calendar = Calendario de retención
calendar-text = Qué regla conserva más tiempo el punto de cada día, durante un año
rule-tag-daily = Diaria
rule-tag-weekly = Semanal
rule-tag-monthly = Mensual
rule-tag-yearly = Anual
count-days = { $count ->
    [one] 1 día
   *[other] { $count } días
}
forecast = Previsión para una máquina
forecast-after = Después de
forecast-space = Espacio, como máximo
after-days = { $count ->
    [one] 1 día
   *[other] { $count } días
}
after-years = { $count ->
    [one] 1 año
   *[other] { $count } años
}
forecast-measured = Según lo medido en este almacén: { $first } la primera copia, { $further } cada una de las siguientes.
forecast-assumed = En este almacén aún no se ha medido nada; se supone: { $first } la primera copia, { $further } cada una de las siguientes.
forecast-none = En cuanto todos los campos estén rellenados correctamente, aquí se muestra qué hace la directiva.
policy-name-example = Nocturna-30
rule-name = De 3 a 150 letras, dígitos y guiones, primero una letra; por ejemplo, Nocturna-30.
rule-kind = Una directiva mejorada no puede volver a ser estándar. Cree otra directiva.
rule-frequency = Cada pocas horas solo es posible con directivas mejoradas (V2). Elija Mejorada en Más, o todos los días.
rule-time = Una hora en punto o y media; por ejemplo, 22:30.
rule-run-days = Elija al menos un día; por ejemplo, domingo.
rule-interval = Cada 4, 6, 8, 12 o 24 horas.
rule-window = Un múltiplo del intervalo, de 4 a 24 horas; por ejemplo, 12 con un intervalo de 4.
rule-zone = Una zona horaria con su nombre de Windows o IANA; por ejemplo, Europe/Madrid o Romance Standard Time.
rule-instant = De 1 a 5 días (estándar) o de 1 a 30 (mejorada), 5 con programación semanal, y no más que el intervalo diario; por ejemplo, 2.
rule-ranges = Conserve al menos un tipo de puntos; por ejemplo, puntos semanales durante 12 semanas.
rule-daily = De 7 a 9999 días (1 o más si menos de 7 es intencionado); por ejemplo, 30.
rule-weekly = De 1 a 5163 semanas; por ejemplo, 12.
rule-weekly-days = Elija al menos un día en el que se haga copia; por ejemplo, domingo.
rule-monthly = De 1 a 1188 meses; por ejemplo, 12.
rule-month-days = Elija al menos un día; con programación semanal, por día de la semana; por ejemplo, primer domingo.
rule-yearly = De 1 a 99 años; por ejemplo, 5.
rule-yearly-months = Elija al menos un mes; por ejemplo, enero.

## Settings, activity, costs, charts
settings = Configuración
regions = Regiones
regions-text = Sitios con hipervisores y el almacenamiento en que sus almacenes guardan los datos
region-short = Nombre corto
region-paired = Región emparejada
store = Almacenamiento
hypervisors = Hipervisores
hypervisors-text = Definidos en el archivo de configuración del servicio
hypervisor-answers = Responde
storage-accounts = Cuentas de almacenamiento
storage-accounts-text = Carpetas que reciben los discos restaurados
tenant = Inquilino
access = Usuarios y roles
access-text = Quién puede iniciar sesión, aquí y con az, y qué puede hacer. Un rol vale en todas las suscripciones.
access-new = Agregar un usuario o un programa
people = Usuarios y programas
kind = Tipo
kind-person = Usuario
kind-person-text = Inicia sesión con un nombre y una contraseña.
kind-program = Programa
kind-program-text = Inicia sesión con un id. de cliente y un secreto, para az y scripts. El secreto se crea aquí y se muestra una vez.
roles = Roles asignados
role-owner = Propietario
role-contributor = Colaborador
role-backup-contributor = Colaborador de copias de seguridad
role-backup-mua-admin = Administrador de MUA de copias de seguridad
role-backup-operator = Operador de copias de seguridad
role-reader = Lector
you = (usted)
secret-renew = Secreto nuevo
secret-sure = Reemplazar el secreto de { $name }: el actual deja de servir
password-sure = Reemplazar la contraseña de { $name }: la actual deja de servir
secret-once = Anótelo: el secreto solo se muestra ahora
password-change = Cambiar contraseña
password-changed = La contraseña se ha cambiado. Vale desde el próximo inicio de sesión.
password-now = Contraseña actual
password-new = Contraseña nueva
password-again = Otra vez la misma
password-first = Primera contraseña
password-short = Al menos 12 caracteres; por ejemplo, cuatro palabras.
password-not-same = Las dos no son iguales.
password-now-wrong = Esta no es la contraseña actual.
activity = Registro de actividad
activity-text = Cada cambio, con quién lo hizo. Nada de esto se puede editar.
activity-find = Quién o qué
activity-none = Aún no se ha cambiado nada
activity-none-text = Los cambios aparecen aquí en cuanto alguien hace uno.
who = Quién
target = Sobre qué
action-read = Consulta
action-write-group = Crear o cambiar grupo de recursos
action-delete-group = Eliminar grupo de recursos
action-write-vault = Crear o cambiar almacén
action-write-policy = Crear o cambiar directiva
action-write-account = Crear o cambiar cuenta de almacenamiento
action-power = Iniciar o detener máquina virtual
action-access = Cambiar accesos
costs = Informe de costes
costs-text = Lo que ocupan los puntos de recuperación de cada elemento, tras deduplicar y comprimir, medido al crearlos
costs-price = Precio de un GiB por mes
costs-price-wrong = Un número igual o mayor que 0; por ejemplo, 0,02.
costs-size = Tamaño de los discos
costs-month = Coste al mes
total = Total
churn = Leído y almacenado
chart-freezes-note = Mediana: { $median }; 99 de 100: { $p99 }; la más larga: { $value }
tile-stored = Espacio ocupado
tile-points = { $count ->
    [0] en ningún punto de recuperación
    [one] en 1 punto de recuperación
   *[other] en { $count } puntos de recuperación
}
tile-alerts = Alertas
tile-alerts-note = copias con errores y comprobaciones previas no superadas
calendar-none = sin copia

## First run, checks
welcome = Le damos la bienvenida a Coffre
welcome-text = Tres pasos cortos hasta la primera máquina protegida.
welcome-open = Configurar
welcome-user = Un usuario para usted
welcome-user-text = Déjelo vacío para seguir con el nombre y el secreto del administrador.
welcome-store = Dónde van las copias
welcome-vm = La primera máquina que proteger
welcome-go = Crear el almacén y proteger la máquina
welcome-later = Más tarde
welcome-all = Todas las máquinas están configuradas
welcome-all-text = No queda nada que configurar: todas las máquinas de los hipervisores son ya elementos de copia de seguridad.
preflight = Comprobaciones previas
check-away = No se puede acceder a la máquina
check-here = El hipervisor responde y tiene la máquina
check-off = La máquina está apagada: sus discos se copian tal como están
check-agent = El agente invitado responde: las copias son al menos coherentes con el sistema de archivos
check-disks = { $count ->
    [one] Se copia 1 disco de { $size }
   *[other] Se copian { $count } discos de { $size } en total
}
obstacle-region = Está en la región { $there }; el almacén, en { $here }. Use un almacén de { $there } o cree uno allí.
obstacle-this-vault = Ya es un elemento de este almacén.
obstacle-other-vault = Ya es un elemento del almacén { $vault }. Use ese almacén, o elimine antes allí sus datos de copia de seguridad.
menu-of = Acciones para { $name }

## Deployments
action-deploy = Implementar plantilla
action-tags = Cambiar etiquetas
action-resource = Crear o cambiar recurso

## Guides
guides = Guías
guide-first-look = Primer vistazo
guide-first-look-text = Las dos formas de proteger una máquina, la primera copia y el agente en la máquina
guide-extension = Extensión de instantánea de máquina virtual
guide-extension-text = Esquema, valores, plantilla, comandos az y códigos de resultado

## Charts
points-over-time = Puntos de recuperación en el tiempo

action-guard = Protecciones de recursos: cambiar
action-approve = Decidir sobre lo que una protección de recursos cuida
approvals = Aprobaciones
approvals-text = Lo que quita protección a un almacén bajo una protección de recursos necesita a una segunda persona: una que tenga la protección y que no lo haya pedido. Lo aprobado vale una vez, solo para esto y durante ocho horas.
approvals-none = Nadie ha pedido nada
approvals-none-text = Donde una protección de recursos cuida de un almacén, las peticiones aparecen aquí en cuanto alguien intenta lo que ella cuida.
approval-grant = Aprobar
approval-refuse = Rechazar
approval-until = Hasta
approval-asked = En espera
approval-granted = Aprobada
approval-refused = Rechazada
approval-used = Hecha
approval-expired = Demasiado tarde
sign-in-held = Hubo demasiados intentos erróneos. Vuelva a intentarlo dentro de { $time }.
code = Código de su aplicación o código de recuperación
code-text = Su contraseña es correcta. Ahora, el código que muestra su aplicación.
code-hint = Seis dígitos que cambian cada 30 segundos. Sin su dispositivo: uno de sus códigos de recuperación.
code-wrong = Este código es erróneo o ya se usó. Espere al siguiente y compruebe el reloj de su dispositivo.
code-begin-again = Iniciar sesión como otra persona
codes = Códigos al iniciar sesión
codes-text = Con un código además de la contraseña, no basta con haber averiguado la contraseña.
codes-off-text = Una aplicación en su teléfono u ordenador (cualquiera de códigos de un solo uso, TOTP) muestra un código nuevo cada 30 segundos. Desde entonces el portal le pide uno al iniciar sesión; az usa az login --use-device-code.
codes-begin = Configurar una aplicación
codes-scan = Haga que la aplicación lea esta imagen y escriba el código que muestra.
codes-picture = Imagen con el secreto para la aplicación
codes-secret = O escriba este secreto en la aplicación:
codes-first = El código que muestra la aplicación
codes-confirm = Activar
codes-on = Los códigos están activados. Anote sus códigos de recuperación
codes-recovery-text = Cada uno vale para un inicio de sesión si pierde su dispositivo. Solo se muestran ahora.
codes-since = Activados desde
codes-left = Códigos de recuperación restantes
codes-turn-off = Desactivar
codes-reset = Desactivar códigos

## Resource guards
guards = Protecciones de recursos
guard = Protección de recursos
guards-text = Una protección cuida de un almacén: lo que debilita su seguridad debe aprobarlo un titular distinto de quien lo pide.
guards-none = Todavía no hay ninguna protección de recursos
guards-none-text = Cree una abajo y ponga después almacenes bajo ella. Debería tenerla alguien con el rol Administrador de MUA de copias de seguridad, no quien lleva los almacenes.
guard-holders = Titulares
guard-holders-hint = Nombres de quienes aprueban, separados por comas. Nombre a dos o más: nadie aprueba lo que ha pedido. Vacío: solo usted.
guard-left-out = Basta una persona
guard-nothing = Nada
guard-no-vault = Ningún almacén todavía
guard-protect = Proteger este almacén
guard-take-away = Quitar la protección
guard-change = Cambiar
guard-change-of = Cambiar la protección { $name }
guard-delete = Eliminar la protección
guard-new = Nueva protección de recursos
guard-name-hint = De 1 a 80 letras, dígitos, guiones, guiones bajos y puntos.
guard-covers = Para qué hace falta una segunda persona
guard-always = Las dos primeras cosas, siempre.
critical-soft-delete = Desactivar la eliminación temporal o conservar menos días lo eliminado
critical-guard = Quitar la protección a un almacén
critical-policy = Cambiar una directiva para que conserve menos tiempo los puntos
critical-protection = Poner un elemento bajo una directiva que conserva menos tiempo los puntos
critical-data = Eliminar datos de copia de seguridad o puntos sueltos
critical-immutability = Desactivar la inmutabilidad
critical-clock = Confirmar que el reloj del servicio es correcto

## Guest log
guest-log = Registro del invitado
guest-log-text = Lo que el invitado escribió al congelarse y descongelarse, leído en este momento a través de su agente.
guest-log-show = Mostrar
guest-log-read = Leído el
guest-log-cut = solo se muestra el final
guest-log-empty = Este archivo está vacío.
guest-log-none = El invitado no tiene registro
guest-log-none-text = Se escribe con la primera copia de una máquina Linux que está en marcha y cuyo agente invitado responde. Vuelva a mirar después.
guest-log-failed = El registro no se puede leer ahora
guest-log-failed-advice = Compruebe que la máquina está en marcha y que su agente invitado responde, y actualice esta página.
sign-in-provider = Iniciar sesión con { $name }
sign-in-provider-failed = El inicio de sesión a través del proveedor ha fallado. Vuelva a intentarlo; si sigue así, avise a quien administra el servicio.
sign-in-go-on = Continuar
