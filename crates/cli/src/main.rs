//! The `coffre` binary: the service, its client verbs, and the verbs on a store with no service.

mod az_setup;
mod client;
mod extension;
mod local;
mod say;
mod serve;
mod sys;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use say::Format;

/// Backup of virtual machines on your own hosts, with the commands of Azure Backup.
///
/// A first service needs nothing: `coffre serve` makes all it needs in its data folder and says
/// how to sign in. Then `coffre login`, or `az` (see `coffre az-setup`).
///
/// Exit status: 0 done, 1 failed, 2 wrong usage, 3 damage found in a vault.
#[derive(Debug, Parser)]
#[command(name = "coffre", version, propagate_version = true)]
struct Cli {
    /// How results are printed.
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service: API, portal and worker in one process.
    Serve(serve::ServeArgs),
    /// Gives the administrator a new secret; the service must be stopped.
    AdminSecret(serve::AdminSecretArgs),
    /// People and programs that can sign in; the service must be stopped.
    #[command(subcommand)]
    User(user::UserVerb),
    /// Prints what `az` needs to work with a service on this machine.
    AzSetup(az_setup::AzSetupArgs),
    /// Signs in to a service for the verbs below.
    Login(client::LoginArgs),
    /// Resource groups.
    #[command(subcommand)]
    Group(client::GroupVerb),
    /// Virtual machines: list, start, stop.
    #[command(subcommand)]
    Vm(client::VmVerb),
    /// Vaults: of the service, or with --store in a store with no service.
    #[command(subcommand)]
    Vault(local::VaultVerb),
    /// Backup policies: list, simulate.
    #[command(subcommand)]
    Policy(client::PolicyVerb),
    /// The service's clock: confirm that it is right.
    #[command(subcommand)]
    Clock(client::ClockVerb),
    /// Protection of virtual machines: enable, backup-now.
    #[command(subcommand)]
    Protection(client::ProtectionVerb),
    /// Protected items.
    #[command(subcommand)]
    Item(client::ItemVerb),
    /// Jobs: list, show, wait, stop.
    #[command(subcommand)]
    Job(client::JobVerb),
    /// Recovery points.
    #[command(subcommand, alias = "point")]
    Recoverypoint(client::PointVerb),
    /// Restores: disks, in-place.
    #[command(subcommand)]
    Restore(client::RestoreVerb),
    /// The audit of the service: list, verify.
    #[command(subcommand)]
    Audit(client::AuditVerb),
    /// Images of disks in a store, with no service: backup, restore, list, verify, delete.
    #[command(subcommand)]
    Image(local::ImageVerb),
    /// The extension that runs inside machines: key, package, verify.
    #[command(subcommand)]
    Extension(extension::ExtensionVerb),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command, cli.output) {
        Ok(code) => code,
        Err(error) => {
            say::note(&format!("coffre: {error:#}"));
            exit_code(&error)
        }
    }
}

fn run(command: Command, format: Format) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::AdminSecret(args) => serve::renew_admin_secret(&args),
        Command::User(verb) => user::run(&verb, format),
        Command::AzSetup(args) => az_setup::run(&args),
        Command::Login(args) => client::login(args),
        Command::Group(verb) => client::run(verb, format),
        Command::Vm(verb) => client::run(verb, format),
        Command::Vault(verb) => local::run_vault(verb, format),
        Command::Policy(verb) => client::run(verb, format),
        Command::Clock(verb) => client::run(verb, format),
        Command::Protection(verb) => client::run(verb, format),
        Command::Item(verb) => client::run(verb, format),
        Command::Job(verb) => client::run(verb, format),
        Command::Recoverypoint(verb) => client::run(verb, format),
        Command::Restore(verb) => client::run(verb, format),
        Command::Audit(verb) => client::run(verb, format),
        Command::Image(verb) => verb.run(format),
        Command::Extension(verb) => extension::run(verb, format),
    }
}

/// Damage is told apart from every other failure, wherever it was met.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let damage = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<coffre_vault::VaultError>())
        .any(coffre_vault::VaultError::is_damage);
    if damage { ExitCode::from(local::EXIT_DAMAGE) } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_says_what_it_does() {
        fn check(command: &clap::Command) {
            for child in command.get_subcommands() {
                assert!(child.get_about().is_some(), "{} has no help", child.get_name());
                for argument in child.get_arguments() {
                    assert!(argument.get_help().is_some(), "{} {argument}", child.get_name());
                }
                check(child);
            }
        }
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        check(&command);
    }

    #[test]
    fn the_fixed_forms_are_understood() {
        let forms = [
            "coffre vault create --store file:///v --passphrase-file f",
            "coffre image backup --store file:///v --passphrase-file f --name n --changed m i.raw",
            "coffre image backup --output json --store file:///v --passphrase-file f --name n i",
            "coffre image list --store file:///v --passphrase-file f --name n --output json",
            "coffre image restore --store file:///v --passphrase-file f --point latest --name n --to o",
            "coffre image delete --store file:///v --passphrase-file f --point 0197a9b8-0000-7000-8000-000000000000",
            "coffre vault verify --store file:///v --passphrase-file f",
            "coffre vault gc --store file:///v --passphrase-file f --dry-run",
            "coffre vault create -g g -n v -l local",
            "coffre policy simulate -v v -n DefaultPolicy --days 30",
            "coffre clock confirm",
            "coffre user codes-off ann --data d",
            "coffre restore disks -v v --vm web --luns 0,1 --no-wait",
        ];
        for form in forms {
            Cli::try_parse_from(form.split(' ')).unwrap_or_else(|error| panic!("{form}: {error}"));
        }
        for wrong in
            ["coffre vault create", "coffre image backup --store s --name n i", "coffre nothing"]
        {
            let error = Cli::try_parse_from(wrong.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }
}
