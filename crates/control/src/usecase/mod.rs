//! What can be asked for.
//!
//! Each use-case is a plain function of a transaction, a [`crate::Cx`] and its input. It asks
//! first whether the caller may, checks everything that can be checked, and only then writes. A
//! [`crate::Refusal`] means that nothing was changed. `scope` is the resource id that a client
//! polls the operation under; pass an empty one when nobody polls.
//!
//! For people: [`mod@get_subscription`], [`mod@group`], [`mod@vault`],
//! [`mod@deleted_vault`], [`mod@policy`],
//! [`mod@vm`], [`mod@item`], [`mod@enable_protection`], [`mod@stop_protection`],
//! [`mod@backup_now`], [`mod@point`], [`mod@restore`], [`mod@job`], [`mod@accept`],
//! [`mod@storage_account`], [`mod@access`], [`mod@certificate`],
//! [`mod@second_factor`], [`mod@delete_point`], [`mod@retry_job`],
//! [`mod@simulate_policy`], [`mod@cost`], [`mod@reduction`],
//! [`mod@guard`], [`mod@approval`]. For the service: [`mod@job_work`], [`mod@record_vms`],
//! [`mod@authenticate`], [`mod@sign_in`], [`mod@outside`], [`mod@first_run`], [`mod@settings`],
//! [`mod@run_schedule`], [`mod@plan`], [`mod@expiry`], [`mod@collection`], [`mod@local_copy`],
//! [`mod@vault_time`].

pub mod accept;
pub mod access;
pub mod approval;
pub mod audit;
pub mod authenticate;
pub mod backup_now;
pub mod certificate;
pub mod collection;
pub mod cost;
mod default_policy;
pub mod delete_point;
pub mod deleted_vault;
pub mod deployment;
pub mod enable_protection;
pub mod expiry;
pub mod files;
mod find;
pub mod first_run;
pub mod get_subscription;
pub mod group;
pub mod guard;
pub mod item;
pub mod job;
mod job_rows;
pub mod job_work;
pub mod keep;
pub mod local_copy;
mod lock;
pub mod names;
pub mod news;
pub mod outside;
pub mod plan;
pub mod point;
pub mod policy;
mod policy_rules;
pub mod record_vms;
pub mod reduction;
pub mod restore;
pub mod retry_job;
pub mod role;
pub mod run_schedule;
pub mod second_factor;
pub mod settings;
pub mod sign_in;
pub mod simulate_policy;
pub mod stop_protection;
pub mod storage_account;
pub mod vault;
mod vault_end;
pub mod vault_time;
pub mod vm;

pub use accept::{Accepted, OperationView, get_operation, note_operation};
pub use access::{
    NewPrincipal, create_principal, hash_password, list_principals, set_roles, set_secret,
};
pub use approval::{Decision, act, decide, list_approvals, unlock};
pub use audit::{list_audit, verify_audit};
pub use authenticate::{Login, authenticate, caller_of, hash_random_secret, hash_secret};
pub use backup_now::backup_now;
pub use certificate::{
    Certificate, add_certificate, certificates_of, read_certificate, remove_certificate,
};
pub use collection::{due_collections, plan_collection};
pub use cost::{Band, DiskUse, InstanceCost, SizeBasis, cost_report, instance_bytes};
pub use delete_point::{delete_recovery_point, undelete_recovery_point};
pub use deleted_vault::{
    get_deleted_vault, list_deleted_vaults, purge_deleted_vaults, undelete_vault,
};
pub use deployment::{
    cancel_deployment, delete_deployment, get_deployment, list_deployments, note_deployment,
    put_deployment,
};
pub use enable_protection::{EnableProtection, enable_protection};
pub use expiry::{ExpiryTime, ToRemove, due_items, forget_points, mark_expired};
pub use files::{open_files, see_files};
pub use first_run::{Seed, first_run};
pub use get_subscription::{get_subscription, list_regions, list_subscriptions};
pub use group::{PutGroup, delete_group, get_group, list_groups, put_group};
pub use guard::{
    PutGuard, bind_guard, delete_guard, get_guard, guard_holders, guard_of, list_guards, put_guard,
    unbind_guard,
};
pub use item::{ItemView, get_item, get_item_by_id, list_items};
pub use job::{cancel_job, get_job, get_vault_job, list_jobs, refresh_containers};
pub use job_work::{
    Heartbeat, LeaseToken, adopt_orphans, begin_step, lease_job, next_wake, release_lease,
    renew_lease, report_job,
};
pub use keep::{delete_record, find_record, list_records, put_record};
pub use local_copy::{
    LocalCopy, due_local_copies, forget_local_copy, local_copies, local_copies_of,
};
pub use lock::is_at_or_below;
pub use news::{mark_seen, seen_until};
pub use outside::{OutsideIdentity, outside_caller};
pub use plan::{plan_again, plan_forgotten};
pub use point::{get_point, get_point_by_id, list_points};
pub use policy::{PolicyView, PutPolicy, delete_policy, get_policy, list_policies, put_policy};
pub use record_vms::{Discovered, DiscoveredVm, Discovery, record_hypervisor_away, record_vms};
pub use restore::{Restore, RestoreWish, restore};
pub use retry_job::{is_retriable, retry_job};
pub use role::caller_at;
pub use run_schedule::{Budget, Ticked, next_scheduled, run_schedule};
pub use second_factor::{
    Factor, begin_factor, begun_secret, confirm_factor, factor_of, forget_factor, remove_factor,
    use_code,
};
pub use sign_in::{Door, Entry};
pub use simulate_policy::{Run, Simulate, Simulation, simulate_policy};
pub use stop_protection::{
    delete_backup_data, purge_deleted_items, stop_protection, suspend_protection, undelete_item,
};
pub use storage_account::{get_storage_account, list_storage_accounts, put_storage_account};
pub use vault::{
    PutVault, VaultPatch, check_vault_name_free, delete_vault, get_vault, get_vault_by_id,
    list_vaults, put_vault, update_vault,
};
pub use vault_time::{advance_vault_clock, confirm_vault_clock, vault_clock};
pub use vm::{
    Power, VmChoice, VmView, get_vm, get_vm_by_id, list_protectable_vms, list_vm_choices,
    list_vm_views, list_vms, power_vm, vm_choices,
};

/// Whether a put made something or changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It was there.
    Updated,
}
