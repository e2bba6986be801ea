//! Vaults.

use coffre_control::model::{
    Identity, Immutability, MonitoringSettings, Redundancy, SoftDelete, SoftDeleteState,
};
use coffre_control::port::Search;
use coffre_control::usecase::{
    PutVault, VaultPatch, Written, check_vault_name_free, delete_vault, put_vault, update_vault,
};
use coffre_control::{ErrorCode, Refusal};
use serde_json::json;

use crate::call::Call;
use crate::handle::group::tags;
use crate::http::error::ArmError;
use crate::http::members::Members;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::names::{VAULT_TYPE, region_name};
use crate::render::vault::{etag, vault as body};

/// GET the vaults of a subscription, or of a group
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let search = Search {
        subscription: Some(call.subscription_id()?),
        group: call.group.as_ref().map(|it| it.name.clone()),
        ..call.window()?.search()
    };
    let vaults = call.read("list vaults", |tx| Ok(tx.search_vaults(&search)?))?;
    call.page_of(&vaults, |it| body(it, "Succeeded"))
}

/// GET one vault
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    let vault = call.read("show vault", |tx| call.vault(tx))?;
    Ok(Reply::ok(body(&vault, "Succeeded")))
}

/// PUT a vault: 201 when it is new, else 200
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let mut settings = patch_of(&members)?;
    // A PUT replaces: what it does not name has no tags.
    settings.tags = Some(settings.tags.unwrap_or_default());
    let input = PutVault {
        subscription: call.subscription_id()?,
        group: call.group()?.name.clone(),
        name: call.param("vault").to_owned(),
        region: region_name(members.required_text("location")?),
        settings,
    };
    let (vault, written) = call.write("put vault", |tx, cx| {
        let old = tx.vault_named(input.subscription, &input.name)?;
        call.check_etag(old.as_ref().map(etag).as_deref())?;
        put_vault(tx, cx, input)
    })?;
    let body = body(&vault, "Succeeded");
    Ok(match written {
        Written::Created => Reply::created(body),
        Written::Updated => Reply::ok(body),
    })
}

/// PATCH a vault
pub(crate) fn patch(call: &Call<'_>) -> Result<Reply, ArmError> {
    let patch = patch_of(&call.members()?)?;
    let vault = call.write("patch vault", |tx, cx| {
        let vault = call.vault(tx)?;
        call.check_etag(Some(&etag(&vault)))?;
        update_vault(tx, cx, vault.id, patch)
    })?;
    Ok(Reply::ok(body(&vault, "Succeeded")))
}

/// DELETE a vault, which must be empty: 204, also when there is none
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    call.write("delete vault", |tx, cx| match call.vault(tx) {
        Ok(vault) => {
            call.check_etag(Some(&etag(&vault)))?;
            delete_vault(tx, cx, vault.id)
        }
        Err(refusal) if refusal.code == ErrorCode::ResourceNotFound => Ok(()),
        Err(refusal) => Err(refusal),
    })?;
    Ok(Reply::no_content())
}

/// POST ~RG…/checkNameAvailability
pub(crate) fn check_name(call: &Call<'_>) -> Result<Reply, ArmError> {
    let members = call.members()?;
    let name = members.required_text("name")?;
    let kind = members.required_text("type")?;
    if !kind.eq_ignore_ascii_case(VAULT_TYPE) {
        return Err(
            ArmError::bad_body(format!("'{}' is not {VAULT_TYPE}.", clip(kind))).target("type")
        );
    }
    let id = call.subscription_id()?;
    let free = call.write("check vault name", |tx, cx| {
        // The refusal is the answer here, not a failure of the request.
        Ok(check_vault_name_free(tx, cx, id, name).err())
    })?;
    Ok(Reply::ok(match free {
        None => json!({ "nameAvailable": true }),
        Some(refusal) => json!({
            "nameAvailable": false,
            "reason": reason(&refusal)?,
            "message": refusal.message,
        }),
    }))
}

fn reason(refusal: &Refusal) -> Result<&'static str, ArmError> {
    match refusal.code {
        ErrorCode::VaultNameAlreadyInUse => Ok("AlreadyExists"),
        ErrorCode::InvalidResourceName => Ok("Invalid"),
        _ => Err(Refusal::new(refusal.code, refusal.message.clone()).into()),
    }
}

/// What a PUT or PATCH body asks for. Members that nothing here depends on are passed over.
fn patch_of(body: &Members<'_>) -> Result<VaultPatch, ArmError> {
    let properties = body.object("properties")?;
    let redundancy = properties.object("redundancySettings")?;
    let restore =
        properties.object("restoreSettings")?.object("crossSubscriptionRestoreSettings")?;
    let security = properties.object("securitySettings")?;
    let immutability = security.object("immutabilitySettings")?;
    Ok(VaultPatch {
        tags: tags(body)?,
        redundancy: word(&redundancy, "standardTierStorageRedundancy", Redundancy::from_azure)?,
        cross_region_restore: switch(&redundancy, "crossRegionRestore")?,
        soft_delete: soft_delete(&security.object("softDeleteSettings")?)?,
        immutability: word(&immutability, "state", Immutability::from_azure)?,
        monitoring: monitoring(&properties.object("monitoringSettings")?)?,
        public_network_access: switch(&properties, "publicNetworkAccess")?,
        cross_subscription_restore: switch(&restore, "crossSubscriptionRestoreState")?,
        identity: identity(body)?,
    })
}

/// Reads one of Azure's words.
fn word<T>(
    members: &Members<'_>,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ArmError> {
    let Some(text) = members.text(name)? else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| {
        ArmError::bad_body(format!("'{}' is no value for {name}.", clip(text))).target(name)
    })
}

/// Reads `Enabled` or `Disabled`.
fn switch(members: &Members<'_>, name: &str) -> Result<Option<bool>, ArmError> {
    word(members, name, |text| match text.to_ascii_lowercase().as_str() {
        "enabled" => Some(true),
        "disabled" | "permanentlydisabled" => Some(false),
        _ => None,
    })
}

fn soft_delete(members: &Members<'_>) -> Result<Option<SoftDelete>, ArmError> {
    let state = word(members, "softDeleteState", SoftDeleteState::from_azure)?;
    let days = members.integer("softDeleteRetentionPeriodInDays")?;
    soft_delete_of(state, days)
}

/// Puts the two halves of soft delete together; what is not named has Azure's default.
pub(crate) fn soft_delete_of(
    state: Option<SoftDeleteState>,
    days: Option<i64>,
) -> Result<Option<SoftDelete>, ArmError> {
    if state.is_none() && days.is_none() {
        return Ok(None);
    }
    let default = SoftDelete::default();
    let days = days
        .map_or(Ok(default.days), u16::try_from)
        .map_err(|_| ArmError::bad_body("softDeleteRetentionPeriodInDays must be 14 to 180."))?;
    Ok(Some(SoftDelete { state: state.unwrap_or(default.state), days }))
}

fn monitoring(members: &Members<'_>) -> Result<Option<MonitoringSettings>, ArmError> {
    let azure = members.object("azureMonitorAlertSettings")?;
    let classic = members.object("classicAlertSettings")?;
    if !members.has("azureMonitorAlertSettings") && !members.has("classicAlertSettings") {
        return Ok(None);
    }
    let on =
        |members: &Members<'_>, name| Ok::<_, ArmError>(switch(members, name)?.unwrap_or(true));
    Ok(Some(MonitoringSettings {
        job_failures: on(&azure, "alertsForAllJobFailures")?,
        replication_issues: on(&azure, "alertsForAllReplicationIssues")?,
        failover_issues: on(&azure, "alertsForAllFailoverIssues")?,
        classic_critical: on(&classic, "alertsForCriticalOperations")?,
        classic_site_recovery_mail: on(&classic, "emailNotificationsForSiteRecovery")?,
    }))
}

/// A vault here reaches its store without an identity; one that is asked for is remembered.
fn identity(body: &Members<'_>) -> Result<Option<Option<Identity>>, ArmError> {
    let members = body.object("identity")?;
    let Some(kind) = members.text("type")? else { return Ok(None) };
    let kinds: Vec<String> = kind.split(',').map(|it| it.trim().to_ascii_lowercase()).collect();
    if kinds.iter().any(|it| it == "none") {
        return Ok(Some(None));
    }
    let user_assigned = match members.value("userAssignedIdentities") {
        Some(serde_json::Value::Object(map)) => {
            map.iter().map(|(id, _)| (id.clone(), json!({}))).collect()
        }
        _ => std::collections::BTreeMap::new(),
    };
    Ok(Some(Some(Identity {
        system_assigned: kinds.iter().any(|it| it == "systemassigned"),
        principal: None,
        user_assigned,
    })))
}

/// GET ~V/replicationUsages: nothing is replicated by this service.
pub(crate) fn replication_usages(call: &Call<'_>) -> Result<Reply, ArmError> {
    call.read("show vault", |tx| call.vault(tx))?;
    Ok(Reply::list(Vec::new()))
}
