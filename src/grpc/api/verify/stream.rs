//! StreamVerify: answers in the order of the questions, read no faster than they are taken.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt};
use proto::StreamVerifyRequest;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, Streaming};

use crate::{
    grpc::{
        transport::{caller::StreamCaller, current::Unproven},
        wire::{
            status,
            transport_status::{LARGEST_MESSAGE, explained},
        },
    },
    ports::{Credentials, Moment},
};

use super::{
    EncodedItem,
    batch::{Started, TOGETHER, Verified, start},
};

pub(in crate::grpc) struct Answers<C> {
    caller: StreamCaller<C>,
    questions: Streaming<StreamVerifyRequest>,
    /// Answers that are not taken yet, or still being read, in order; empty as long as every key is cached.
    waiting: VecDeque<Waiting>,
    patience: Duration,
    /// Of this stream only, because looking at it takes a lock.
    stop: CancellationToken,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// How many more answers until the next check of `stop`.
    until_check: u8,
    /// How many answers were sent without a pause.
    in_a_row: u16,
    end: Option<End>,
}

/// Why nothing more is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody asks any more.
    Asked,
    /// This node stops.
    Stopping,
    /// The caller's credential is no longer valid.
    Refused,
}

enum Waiting {
    Done(Verified),
    Read(Pin<Box<dyn Future<Output = Verified> + Send>>),
}

/// How many answers are sent without a pause while there is always something to answer.
const MOST_IN_A_ROW: u16 = 256;

/// How many answers are sent between two checks of the stop signal while the stream is never idle.
const CHECK_EVERY: u8 = 64;

impl<C: Credentials> Answers<C> {
    pub(super) fn new(
        caller: StreamCaller<C>,
        questions: Streaming<StreamVerifyRequest>,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Self {
        let stop = stop.child_token();
        Self {
            caller,
            questions,
            waiting: VecDeque::new(),
            patience,
            stopped: Box::pin(stop.clone().cancelled_owned()),
            stop,
            until_check: 0,
            in_a_row: 0,
            end: None,
        }
    }

    /// Whether this node stops; only now and then, as long as there is always something to answer.
    fn is_stopping(&mut self) -> bool {
        if self.until_check > 0 {
            self.until_check -= 1;
            return false;
        }
        self.until_check = CHECK_EVERY;
        self.stop.is_cancelled()
    }

    /// Pending while there is no request and no answer to send; the caller is checked again later.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let idle = self.waiting.is_empty()
            && self.end.is_none()
            && self.questions.poll_next_unpin(context).is_pending()
            && self.stopped.poll_unpin(context).is_pending();
        if !idle {
            return Poll::Ready(());
        }
        self.look_again(context);
        Poll::Pending
    }

    fn look_again(&mut self, context: &mut Context<'_>) {
        if self.caller.poll_due(context).is_ready() {
            context.waker().wake_by_ref();
        }
    }

    /// Asks for as much as may wait; `Ready` with an answer that is to be given at once.
    fn poll_questions(
        &mut self,
        context: &mut Context<'_>,
        moment: Moment,
    ) -> Poll<Option<Result<Verified, Status>>> {
        while self.end.is_none() && self.waiting.len() < TOGETHER {
            let question = match ready!(self.questions.poll_next_unpin(context)) {
                Some(Ok(question)) => {
                    self.caller.note_use(moment);
                    question.request.unwrap_or_default()
                }
                Some(Err(status)) => {
                    self.end = Some(End::Asked);
                    return Poll::Ready(Some(Err(explained(status, LARGEST_MESSAGE))));
                }
                None => {
                    self.end = Some(End::Asked);
                    break;
                }
            };
            match start(self.caller.verifier(), self.caller.session(), question, self.patience, moment) {
                Started::Done(verified) if self.waiting.is_empty() => return Poll::Ready(Some(Ok(verified))),
                Started::Done(verified) => self.waiting.push_back(Waiting::Done(verified)),
                Started::Read(read) => {
                    let mut read: Pin<Box<dyn Future<Output = Verified> + Send>> = Box::pin(read);
                    self.waiting.push_back(match read.poll_unpin(context) {
                        Poll::Ready(verified) => Waiting::Done(verified),
                        Poll::Pending => Waiting::Read(read),
                    });
                }
            }
        }
        match self.end {
            Some(End::Asked) if self.waiting.is_empty() => Poll::Ready(None),
            Some(End::Stopping) if self.waiting.is_empty() => {
                self.end = Some(End::Asked);
                Poll::Ready(Some(Err(status::closing())))
            }
            _ => Poll::Pending,
        }
    }

    /// The first of those that wait, once it is done; the others go on meanwhile.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Verified> {
        for waiting in &mut self.waiting {
            if let Waiting::Read(read) = waiting
                && let Poll::Ready(verified) = read.poll_unpin(context)
            {
                *waiting = Waiting::Done(verified);
            }
        }
        match self.waiting.pop_front() {
            Some(Waiting::Done(verified)) => Poll::Ready(verified),
            Some(read) => {
                self.waiting.push_front(read);
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl<C: Credentials> Stream for Answers<C> {
    type Item = Result<EncodedItem, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.in_a_row == MOST_IN_A_ROW {
            // Questions may be expensive: other calls have their turn.
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let answer = self.poll_answer(context);
        self.in_a_row = if answer.is_ready() { self.in_a_row + 1 } else { 0 };
        answer
    }
}

impl<C: Credentials> Answers<C> {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<EncodedItem, Status>>> {
        let this = self;
        let moment = this.caller.verifier().moment();
        if this.end == Some(End::Refused) {
            return Poll::Ready(None);
        }
        if let Err(unproven) = ready!(this.caller.poll_check(context, moment)) {
            // Without the database no new caller can be authenticated, but an idle stream need not end.
            if matches!(unproven, Unproven::Unknown(_)) && this.poll_idle(context).is_pending() {
                return Poll::Pending;
            }
            this.end = Some(End::Refused);
            return Poll::Ready(Some(Err(unproven.into())));
        }
        if this.end.is_none() && this.is_stopping() {
            this.end = Some(End::Stopping);
        }
        if !this.waiting.is_empty()
            && let Poll::Ready(verified) = this.poll_waiting(context)
        {
            return Poll::Ready(Some(Ok(verified.into())));
        }
        match this.poll_questions(context, moment) {
            Poll::Ready(Some(answer)) => Poll::Ready(Some(answer.map(EncodedItem::from))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if let Poll::Ready(verified) = this.poll_waiting(context) {
                    return Poll::Ready(Some(Ok(verified.into())));
                }
                if this.end.is_none() && this.stopped.poll_unpin(context).is_ready() {
                    // What is asked already is still answered.
                    this.end = Some(End::Stopping);
                    context.waker().wake_by_ref();
                }
                this.look_again(context);
                Poll::Pending
            }
        }
    }
}

impl<C> fmt::Debug for Answers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
