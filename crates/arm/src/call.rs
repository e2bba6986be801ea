//! One request on its way through a handler: who asks for what, and the helpers that every
//! handler needs. Whoever holds a [`Call`] has passed authorisation.

use std::cell::Cell;
use std::rc::Rc;

use axum::http::Method;
use coffre_control::attempts::Source;
use coffre_control::id::SubscriptionId;
use coffre_control::model::{ResourceGroup, Subscription, Vault, Vm};
use coffre_control::port::{self, Missing, Order, Search, Tx};
use coffre_control::usecase::act;
use coffre_control::{Caller, Cx, ErrorCode, Refusal};
use jiff::Timestamp;
use serde_json::Value;

use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::members::Members;
use crate::http::page::Window;
use crate::http::query::{Query, clip};
use crate::http::reply::Reply;
use crate::names::{VAULT_TYPE, VM_TYPE, VmRef, parse_item_names, vm_id};
use crate::route::Params;
use crate::state::ArmState;

/// One authorised request.
pub(crate) struct Call<'a> {
    /// The world.
    pub(crate) state: &'a ArmState,
    /// Who asks, with the roles at the scope of the path; the system itself on public routes, whose
    /// handlers do nothing in its name.
    pub(crate) caller: &'a Caller,
    /// The same without the roles of this scope.
    pub(crate) base: &'a Caller,
    /// `If-Match` and `If-None-Match`.
    pub(crate) conditions: &'a Conditions,
    /// The parameters of the path.
    pub(crate) params: Params,
    /// The query.
    pub(crate) query: Query,
    /// The method.
    pub(crate) method: Method,
    /// The path as the client wrote it.
    pub(crate) path: &'a str,
    /// The body as it came.
    pub(crate) raw_body: &'a [u8],
    /// The body as JSON; an empty object on routes that take none.
    pub(crate) body: Value,
    /// The subscription in the path.
    pub(crate) subscription: Option<Subscription>,
    /// The resource group in the path, when it exists.
    pub(crate) group: Option<ResourceGroup>,
    /// Where the request comes from.
    pub(crate) source: Source,
    /// How far inside of deployments it is.
    pub(crate) nested: Nested,
    /// Now.
    pub(crate) now: Timestamp,
}

/// What a request wants to be true before it changes anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    /// `If-Match`.
    pub(crate) matches: Option<String>,
    /// `If-None-Match`.
    pub(crate) matches_none: Option<String>,
}

/// Requests that a deployment makes on behalf of its client are counted with it.
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    /// 0 for what a client sent, 1 for what a deployment of it made, and so on.
    pub(crate) depth: u8,
    /// Requests that deployments may still make.
    pub(crate) left: Rc<Cell<u32>>,
}

impl Nested {
    /// Most requests that one deployment makes, with all deployments nested in it.
    const REQUESTS_MAX: u32 = 4000;

    /// For what a client sent.
    pub(crate) fn outside() -> Nested {
        Nested { depth: 0, left: Rc::new(Cell::new(Self::REQUESTS_MAX)) }
    }
}

impl Call<'_> {
    /// Runs `work` in a transaction that only reads.
    pub(crate) fn read<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx) -> Result<T, Refusal>,
    ) -> Result<T, ArmError> {
        Ok(port::read(&*self.state.db, name, work)?)
    }

    /// Runs a use-case that only looks.
    pub(crate) fn look<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, ArmError> {
        let ids = || (self.state.ids)();
        let cx = Cx::new(self.caller, self.now, &ids);
        self.read(name, |tx| work(tx, &cx))
    }

    /// Runs a use-case in a transaction, and wakes the workers after the commit.
    pub(crate) fn write<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx, &Cx<'_>) -> Result<T, Refusal>,
    ) -> Result<T, ArmError> {
        let ids = || (self.state.ids)();
        let cx = Cx::new(self.caller, self.now, &ids);
        let done = act(&*self.state.db, name, &cx, |tx| work(tx, &cx))?;
        (self.state.poke)();
        Ok(done)
    }

    /// Refuses unless the resource is in the state that the client saw; `current` is its etag, none
    /// when there is no such resource.
    pub(crate) fn check_etag(&self, current: Option<&str>) -> Result<(), Refusal> {
        let named = |list: &String| {
            list.split(',').map(str::trim).any(|it| match current {
                Some(current) => it == "*" || it == current || it.trim_matches('"') == current,
                None => false,
            })
        };
        let wanted = self.conditions.matches.as_ref();
        let unwanted = self.conditions.matches_none.as_ref();
        if wanted.is_some_and(|it| !named(it)) || unwanted.is_some_and(named) {
            return Err(Refusal::new(
                ErrorCode::PreconditionFailed,
                "The resource is not in the state that the request asks for with If-Match or If-None-Match. Read it again and repeat the request with its etag.",
            ));
        }
        Ok(())
    }

    /// The full type that the path names in two segments.
    pub(crate) fn kind(&self) -> Option<String> {
        let namespace = self.params.find("namespace")?;
        Some(format!("{namespace}/{}", self.params.find("kind")?))
    }

    /// Id of the subscription, the group or the resource that the path speaks about.
    pub(crate) fn resource_scope(&self) -> String {
        let subscription = self.subscription.as_ref().map(|it| it.id.to_string());
        let mut scope = format!("/subscriptions/{}", subscription.unwrap_or_default());
        if let Some(group) = &self.group {
            scope.push_str(&format!("/resourceGroups/{}", group.name));
        }
        if let Some(kind) = self.kind() {
            scope.push_str(&format!("/providers/{kind}/{}", self.param("name")));
        }
        scope
    }

    /// The same; refuses where the path has no subscription.
    pub(crate) fn scope(&self) -> Result<String, ArmError> {
        self.subscription()?;
        Ok(self.resource_scope())
    }

    /// A parameter of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name)
    }

    /// The subscription in the path.
    pub(crate) fn subscription(&self) -> Result<&Subscription, ArmError> {
        self.subscription.as_ref().ok_or_else(ArmError::internal)
    }

    /// The id of the subscription in the path.
    pub(crate) fn subscription_id(&self) -> Result<SubscriptionId, ArmError> {
        Ok(self.subscription()?.id)
    }

    /// The resource group in the path.
    pub(crate) fn group(&self) -> Result<&ResourceGroup, ArmError> {
        self.group.as_ref().ok_or_else(ArmError::internal)
    }

    /// The body's members.
    pub(crate) fn members(&self) -> Result<Members<'_>, ArmError> {
        Members::of(&self.body)
    }

    /// The `$filter`.
    pub(crate) fn filter(&self) -> Result<Filter, ArmError> {
        Filter::parse(self.query.get("$filter").unwrap_or_default())
    }

    /// The part of a list that the request asks for.
    pub(crate) fn window(&self) -> Result<Window<'_>, ArmError> {
        Window::of(&self.state.page_key, &self.state.public_url, self.path, &self.query)
    }

    /// One page of a list.
    pub(crate) fn page<T>(
        &self,
        entries: impl IntoIterator<Item = T>,
        render: impl FnMut(T) -> Value,
    ) -> Result<Reply, ArmError> {
        Ok(Reply::ok(self.window()?.page(entries, render)))
    }

    /// The page of a list that the store has cut out for this window.
    pub(crate) fn page_of<T>(
        &self,
        entries: impl IntoIterator<Item = T>,
        render: impl FnMut(T) -> Value,
    ) -> Result<Reply, ArmError> {
        Ok(Reply::ok(self.window()?.page_of(entries, render)))
    }

    /// An absolute URL of ours with the version that the client used.
    pub(crate) fn url(&self, path: &str) -> String {
        let version = self.query.get("api-version").unwrap_or_default();
        format!("{}{path}?api-version={version}", self.state.public_url)
    }

    /// The vault in the path.
    pub(crate) fn vault(&self, tx: &mut dyn Tx) -> Result<Vault, Refusal> {
        let name = self.param("vault");
        let group = self.group.as_ref();
        let found = match (self.subscription.as_ref(), group) {
            (Some(subscription), Some(_)) => tx.vault_named(subscription.id, name)?,
            _ => None,
        };
        let here = |vault: &Vault| group.is_some_and(|g| g.name.eq_ignore_ascii_case(&vault.group));
        found.filter(here).ok_or_else(|| self.no_resource(VAULT_TYPE, name))
    }

    /// The VM in the path.
    pub(crate) fn vm(&self, tx: &mut dyn Tx) -> Result<Vm, Refusal> {
        let name = self.param("vm");
        let found = match self.subscription.as_ref() {
            Some(subscription) => tx.vm_named(subscription.id, self.param("group"), name)?,
            None => None,
        };
        if let Some(vm) = found.filter(|vm| vm.missing_since.is_none()) {
            return Ok(vm);
        }
        let others = match self.subscription.as_ref() {
            Some(subscription) => tx.search_vms(&Search {
                subscription: Some(subscription.id),
                name: Some(name.to_owned()),
                missing: Missing::LeftOut,
                order: Order::Group,
                limit: 1,
                ..Search::default()
            })?,
            None => Vec::new(),
        };
        let other = others.first();
        let hint = other.map(|vm| (vm.group.as_str(), vm_id(vm.subscription, &vm.group, &vm.name)));
        Err(self.no_resource_here(VM_TYPE, name, hint))
    }

    /// The VM that the container and the item in the path name.
    pub(crate) fn item_names(&self) -> Result<VmRef, ArmError> {
        if !self.param("fabric").eq_ignore_ascii_case("Azure") {
            return Err(ArmError::not_found(
                "BMSUserErrorInvalidFabricName",
                format!("There is no backup fabric '{}'; use Azure.", clip(self.param("fabric"))),
            ));
        }
        let (container, item) = (self.param("container"), self.param("item"));
        parse_item_names(container, item).ok_or_else(|| {
            ArmError::bad_request(
                "BMSUserErrorInvalidSourceResourceId",
                format!(
                    "'{}' in container '{}' is no name of a protected virtual machine. The container is named IaasVMContainer;iaasvmcontainerv2;<group>;<vm> and the item VM;iaasvmcontainerv2;<group>;<vm>.",
                    clip(item),
                    clip(container)
                ),
            )
        })
    }

    /// 404 for a resource that is not in the group of the path, but in the one of `hint`, which
    /// also says its id. The commands look for a bare name in the vault's group only.
    pub(crate) fn no_resource_here(
        &self,
        kind: &str,
        name: &str,
        hint: Option<(&str, String)>,
    ) -> Refusal {
        let mut refusal = self.no_resource(kind, name);
        if let Some((group, id)) = hint {
            refusal.message.push_str(&format!(
                " Resource group '{group}' has one of this name; use its id: {id}"
            ));
        }
        refusal
    }

    /// 404 for a resource in the group of the path.
    pub(crate) fn no_resource(&self, kind: &str, name: &str) -> Refusal {
        Refusal::new(
            ErrorCode::ResourceNotFound,
            ArmError::resource_not_found(kind, &clip(name), &clip(self.param("group"))).message(),
        )
    }
}
