//! What answers show of an event.

use domain::{audit::Event, id::ServiceAccountId};

use crate::{
    ports::StoreError,
    verbs::{Caller, Creator, Service},
};

#[derive(Debug, Clone)]
pub struct EventView {
    pub event: Event,
    pub actor: Option<Creator>,
}

impl Service {
    pub(super) async fn view_events(
        &self,
        caller: &Caller,
        events: Vec<Event>,
    ) -> Result<Vec<EventView>, StoreError> {
        let actor = |event: &Event| event.actor_account.parse::<ServiceAccountId>().ok();
        let actors: Vec<_> = events.iter().map(actor).collect();
        let creators = self.creators(caller, actors.iter().flatten()).await?;
        let view = |(event, actor): (Event, Option<ServiceAccountId>)| EventView {
            actor: creators.at(actor.as_ref(), event.time),
            event,
        };
        Ok(events.into_iter().zip(actors).map(view).collect())
    }
}
