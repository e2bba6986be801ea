//! Where things are: the repository and the folder that cargo builds in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use cargo_metadata::{Metadata, MetadataCommand};

/// The paths that the commands share.
pub(crate) struct Places {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds: `target`, or what `CARGO_TARGET_DIR` says.
    pub(crate) target: PathBuf,
    /// What cargo says of the workspace, without dependencies.
    pub(crate) metadata: Metadata,
}

impl Places {
    pub(crate) fn find() -> anyhow::Result<Places> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .canonicalize()
            .context("find the repository")?;
        let metadata = MetadataCommand::new()
            .current_dir(&root)
            .no_deps()
            .exec()
            .context("read the workspace with cargo metadata")?;
        Ok(Places { target: metadata.target_directory.clone().into(), root, metadata })
    }

    /// A command of the repository, or one on the PATH, run in the root of the repository.
    pub(crate) fn command(&self, program: &str) -> Command {
        let local = self.root.join(program);
        let mut command = if local.is_file() { Command::new(local) } else { Command::new(program) };
        command.current_dir(&self.root);
        command
    }

    /// Cargo itself, with these arguments.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// A program that was built, by its path in the folder that cargo builds in.
    pub(crate) fn built(&self, path: &str) -> anyhow::Result<PathBuf> {
        let path = self.target.join(path);
        ensure!(path.is_file(), "{} was not built", path.display());
        Ok(path)
    }
}
