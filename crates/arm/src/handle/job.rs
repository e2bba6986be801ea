//! Jobs of a vault.

use coffre_control::id::{JobId, VaultId};
use coffre_control::model::{Job, JobKind, JobStatus, Vault};
use coffre_control::port::{JobFilter, Tx};
use coffre_control::usecase::{cancel_job, note_operation};
use coffre_control::{ErrorCode, Refusal};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::job_id;
use crate::render::job::{self, JobContext};

/// The jobs of `vault` that the `$filter` asks for; none when it asks for what cannot be.
fn job_filter(filter: &Filter, vault: VaultId) -> Result<Option<JobFilter>, ArmError> {
    let statuses = match filter.text("status").filter(|text| !text.is_empty()) {
        None => Vec::new(),
        Some(text) => match JobStatus::from_azure(text) {
            Some(status) => vec![status],
            None => return Ok(None),
        },
    };
    if !filter.allows("backupManagementType", "AzureIaasVM") {
        return Ok(None);
    }
    Ok(Some(JobFilter {
        vault: Some(vault),
        statuses,
        operation: filter.text("operation").filter(|it| !it.is_empty()).map(str::to_owned),
        from: filter.time("startTime")?,
        to: filter.time("endTime")?,
        ..JobFilter::default()
    }))
}

/// GET ~V/backupJobs, newest first
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let window = call.window()?;
    let vault = call.read("show vault", |tx| call.vault(tx))?;
    let Some(mut wanted) = job_filter(&filter, vault.id)? else {
        return call.page(Vec::new(), |nothing| nothing);
    };
    (wanted.skip, wanted.limit) = (window.skip(), Some(window.limit()));
    let jobs = call.read("list jobs", |tx| {
        let found = match filter.text("jobId") {
            None => tx.jobs(&wanted)?,
            Some(id) => one_job(tx, &wanted, id)?.into_iter().collect(),
        };
        let mut jobs = Vec::new();
        for job in found {
            let item = match job.item {
                Some(id) => tx.item(id)?,
                None => None,
            };
            jobs.push((job, item));
        }
        Ok(jobs)
    })?;
    call.page_of(&jobs, |(job, item)| {
        job::summary(job, JobContext { vault: &vault, item: item.as_ref(), now: call.now })
    })
}

/// The job of this id, when the rest of the filter lets it through.
fn one_job(tx: &mut dyn Tx, wanted: &JobFilter, id: &str) -> Result<Option<Job>, Refusal> {
    let Ok(id) = id.parse::<JobId>() else { return Ok(None) };
    let passes = |job: &Job| {
        job.vault == wanted.vault
            && (wanted.statuses.is_empty() || wanted.statuses.contains(&job.status()))
            && wanted.operation.as_ref().is_none_or(|it| it.eq_ignore_ascii_case(job.kind.azure()))
            && wanted.from.is_none_or(|from| job.created >= from)
            && wanted.to.is_none_or(|to| job.created < to)
            && wanted.skip == 0
    };
    Ok(tx.job(id)?.filter(passes))
}

/// The job in the path, with its vault.
pub(crate) fn find(call: &Call<'_>, tx: &mut dyn Tx) -> Result<(Vault, Job), Refusal> {
    let vault = call.vault(tx)?;
    let name = call.param("job");
    let found = match name.parse::<JobId>() {
        Ok(id) => tx.job(id)?.filter(|job| job.vault == Some(vault.id)),
        Err(_) => None,
    };
    let job = found.ok_or_else(|| {
        Refusal::new(
            ErrorCode::BMSUserErrorJobNotFound,
            format!("Vault '{}' has no job '{}'.", vault.name, clip(name)),
        )
    })?;
    Ok((vault, job))
}

/// GET ~V/backupJobs/{job}
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let body = call.read("show job", |tx| {
        let (vault, job) = find(call, tx)?;
        let item = match job.item {
            Some(id) => tx.item(id)?,
            None => None,
        };
        let point = match &job.kind {
            JobKind::Restore { point, .. } => tx.point(*point)?,
            _ => None,
        };
        let context = JobContext { vault: &vault, item: item.as_ref(), now: call.now };
        Ok(job::detail(&job, context, point.as_ref()))
    })?;
    Ok(Reply::ok(body))
}

/// POST ~V/backupJobs/{job}/cancel
pub(crate) fn cancel(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (job, operation) = call.write("cancel job", |tx, cx| {
        let (vault, job) = find(call, tx)?;
        cancel_job(tx, cx, job.id)?;
        let id = job_id(&vault, job.id);
        let operation = note_operation(tx, cx, &id)?;
        Ok((id, operation.id))
    })?;
    let url = call.url(&format!("{job}/operationResults/{operation}"));
    Ok(Reply::accepted().location(&url))
}
