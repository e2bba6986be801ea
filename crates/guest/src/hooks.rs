//! The administrator's scripts around a point, and what they make of its result.

use crate::code::Code;
use crate::log::Log;
use crate::report::Consistency;
use crate::reporter::{Ending, Reporter};
use crate::scripts::{
    Owed, Plugin, Precheck, ScriptFault, ScriptFiles, Workload, precheck, workload,
};

/// Scripts that are ready, or why there are none.
pub(crate) enum Hooks {
    /// Nothing is run.
    None,
    /// Both are run.
    Ready(Box<Plugin>),
    /// A database is named that cannot be prepared, for this reason; nothing is run.
    Unprepared(ScriptFault),
}

/// Looks whether there are scripts. An error is the end of the run: a script cannot be run, and the administrator wants
/// no point without it.
pub(crate) fn find(reporter: &mut Reporter<'_>, log: &Log) -> Result<Hooks, Ending> {
    let files = ScriptFiles::default();
    match workload(&files) {
        Workload::None => administrators(&files, reporter, log),
        Workload::Ignored(fault) => {
            log.warn(format!("The file is not heeded ({}): {fault}", fault.code));
            reporter.unhealthy(Code(fault.code));
            administrators(&files, reporter, log)
        }
        Workload::Refused(fault) => Ok(Hooks::Unprepared(tell(&fault, reporter, log))),
        Workload::Ready(plugin) => {
            log.hide(plugin.secrets());
            Ok(Hooks::Ready(plugin))
        }
    }
}

fn administrators(
    files: &ScriptFiles,
    reporter: &mut Reporter<'_>,
    log: &Log,
) -> Result<Hooks, Ending> {
    match precheck(files) {
        Precheck::WithoutScripts(fault) => {
            log.info(format!("No scripts are run ({}): {fault}", fault.code));
            if fault.code == 317 {
                reporter.telemetry.set("isPrePostEnabled", "true");
                reporter.unhealthy(Code(fault.code));
            }
            Ok(Hooks::None)
        }
        Precheck::Refused { fault, continues, .. } => {
            log.warn(format!("The scripts cannot be run ({}): {fault}", fault.code));
            reporter.telemetry.set("isPrePostEnabled", "true");
            reporter.unhealthy(Code(fault.code));
            if continues {
                return Ok(Hooks::None);
            }
            let name = Code(fault.code).name();
            let message = format!("Plugin Host Precheck Failed StatusCode.{name}, {fault} ");
            Err(Ending::failed(Code(fault.code), message))
        }
        Precheck::Ready(plugin) => {
            reporter.telemetry.set("isPrePostEnabled", "true");
            reporter.telemetry.set("prePostEnabled", "True");
            Ok(Hooks::Ready(plugin))
        }
    }
}

/// Runs the script before, the point, and the script after; the latter whatever came of the others. The point is told
/// whether to freeze.
pub(crate) fn around<'b>(
    plugin: &Plugin,
    reporter: &mut Reporter<'b>,
    log: &Log,
    point: impl FnOnce(&mut Reporter<'b>, bool) -> Ending,
) -> Ending {
    let forgiving = plugin.continues_on_failure() && plugin.freezes();
    log.info(format!("The script of {} before the point begins.", plugin.name()));
    let (owed, before) = match plugin.pre() {
        Ok((owed, before)) => (Some(owed), before.map(drop)),
        Err(fault) => (None, Err(fault)),
    };
    let before = before.map_err(|fault| tell(&fault, reporter, log));
    let ending = match &before {
        Err(fault) if !forgiving => Ending::failed(Code(fault.code), words("Pre", plugin, fault)),
        _ => point(reporter, plugin.freezes()),
    };
    let after = owed.map_or(Ok(()), |owed: Owed| owed.post().map(drop));
    let after = after.map_err(|fault| tell(&fault, reporter, log));
    match (&before, &after) {
        (Ok(()), Err(fault)) if !forgiving => {
            let message = words("Post", plugin, fault);
            Ending { code: Code(fault.code), success: false, message, ..ending }
        }
        (Ok(()), Ok(())) => application(plugin, ending),
        (Err(fault), _) | (_, Err(fault)) if plugin.is_of_workload() => warned(ending, fault),
        _ => ending,
    }
}

/// A point that was taken although the database was not prepared.
pub(crate) fn warned(ending: Ending, fault: &ScriptFault) -> Ending {
    if !ending.code.is_success() {
        return ending;
    }
    let message = format!("Workload Patch failed with warning message: {fault}. ");
    Ending { message, ..ending }
}

/// A point that was good is more than that.
fn application(plugin: &Plugin, ending: Ending) -> Ending {
    if ending.code == Code::SUCCESS && ending.consistency == Consistency::FileSystem {
        let message = "Enable Succeeded with App Consistent Snapshot".to_owned();
        let consistency = Consistency::Application;
        return Ending { code: Code::APP_CONSISTENT, message, consistency, ..ending };
    }
    if plugin.is_of_workload() && !ending.code.is_success() {
        let message = format!("Enable failed in fsfreeze snapshot flow. {}", ending.message);
        return Ending { message, ..ending };
    }
    ending
}

fn tell(fault: &ScriptFault, reporter: &mut Reporter<'_>, log: &Log) -> ScriptFault {
    log.warn(format!("A script failed ({}): {fault}", fault.code));
    reporter.unhealthy(Code(fault.code));
    reporter.telemetry.set("consistencyReason", log.clean(&fault.what));
    fault.clone()
}

fn words(which: &str, plugin: &Plugin, fault: &ScriptFault) -> String {
    let (name, code) = (plugin.name(), Code(fault.code).name());
    format!("{which}Script failed for the plugin {name} StatusCode.{code}, {fault} ")
}
