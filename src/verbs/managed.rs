//! A resource as the verbs manage it: how it is looked up, and what an answer shows of it.

use std::str::FromStr;

use domain::{Revision, name::InProject, page::Cursor, resource::Resource, time::Timestamp};

use crate::ports::{StoreError, write::AnyResource};

use super::{Caller, Error, Listing, Service};

pub(super) trait Managed: Resource<Name: FromStr + InProject> + Into<AnyResource> {
    type View: View + Send;

    /// What is stored under `name`, whoever may see it: [`Service::load`] looks up what a caller may.
    fn find(
        service: &Service,
        name: &Self::Name,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    /// What `caller` is shown of `resources`, which are as they are at `now`.
    fn views(
        service: &Service,
        caller: &Caller,
        resources: Vec<Self>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Self::View>, StoreError>> + Send;
}

/// What an answer shows of a resource, made before the change that gives it its revision.
pub(super) trait View {
    fn show_revision(&mut self, revision: Revision);
}

impl Service {
    /// The resource `name`. Every verb looks up what it is about by this: a project that the caller may not act on is as
    /// one that does not exist.
    pub(super) async fn load<R: Managed>(&self, caller: &Caller, name: &R::Name) -> Result<R, Error> {
        let found = if caller.may_act_on(name.project()) { R::find(self, name).await? } else { None };
        found.ok_or_else(|| Error::not_found(name))
    }

    pub(super) async fn get<R: Managed>(&self, caller: &Caller, name: &R::Name) -> Result<R::View, Error> {
        let resource: R = self.load(caller, name).await?;
        Ok(self.view(caller, resource, self.clock.now()).await?)
    }

    /// The resource that an earlier request made under the name `target`.
    pub(super) async fn get_made<R: Managed>(
        &self,
        caller: &Caller,
        target: String,
    ) -> Result<R::View, Error> {
        let name = target.parse().map_err(|_| Error::NotFound { resource: target })?;
        self.get::<R>(caller, &name).await
    }

    pub(super) async fn view<R: Managed>(
        &self,
        caller: &Caller,
        resource: R,
        now: Timestamp,
    ) -> Result<R::View, StoreError> {
        let mut views = R::views(self, caller, vec![resource], now).await?;
        Ok(views.remove(0))
    }

    /// A page of `size` out of `resources`, which may have one more; each is at its `cursor`.
    pub(super) async fn listing<R: Managed>(
        &self,
        caller: &Caller,
        resources: Vec<R>,
        size: u64,
        cursor: impl Fn(&R) -> Cursor,
        now: Timestamp,
    ) -> Result<Listing<R::View>, Error> {
        let mut listing = Listing::cut(resources, size, cursor);
        let views = R::views(self, caller, std::mem::take(&mut listing.items), now).await?;
        Ok(listing.with(views))
    }
}
