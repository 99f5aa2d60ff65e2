//! Many questions in few calls.

use std::collections::VecDeque;

use prost::Message;
use proto::{BatchVerifyRequest, VerifyRequest, VerifyResult, verify_result::Result as Answer};

use crate::{
    calls::{Calls, Stub},
    decision::Decision,
    error::{Error, ErrorKind},
    question::Question,
};

/// What one call may ask, and how many bytes of it: the server takes messages of 4 MiB.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 3 << 20;

pub(crate) async fn verify(
    calls: &Calls,
    questions: impl IntoIterator<Item = Question>,
) -> Vec<Result<Decision, Error>> {
    // A question that is not sent has its error already.
    let mut answers = Vec::new();
    let mut left = VecDeque::new();
    for (index, question) in questions.into_iter().enumerate() {
        match question.into_message() {
            Ok(message) => {
                left.push_back((index, message));
                answers.push(None);
            }
            Err(error) => answers.push(Some(Err(error))),
        }
    }
    while !left.is_empty() {
        let (places, asked): (Vec<_>, Vec<_>) = left.drain(..chunk(&left)).unzip();
        let results = match call(calls, &asked).await {
            Ok(results) => results,
            Err(error) => {
                let remaining = left.iter().map(|(place, _)| *place);
                let of_all = concerns_every_call(&error);
                for place in places.into_iter().chain(remaining.take_while(|_| of_all)) {
                    answers[place] = Some(Err(error.clone()));
                }
                if of_all {
                    break;
                }
                continue;
            }
        };
        let mut answered = 0;
        for (place, result) in places.iter().zip(results) {
            let answer = read(result);
            // The answer was full: those that did not fit are asked again, if there is any progress.
            if answered > 0 && is_too_large(&answer) {
                break;
            }
            answers[*place] = Some(answer);
            answered += 1;
        }
        for question in places.into_iter().zip(asked).skip(answered).rev() {
            left.push_front(question);
        }
    }
    answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(Error::fault("not answered")))).collect()
}

/// How many of the questions fit into the next call.
fn chunk(questions: &VecDeque<(usize, VerifyRequest)>) -> usize {
    let mut bytes = 0;
    let fitting = questions.iter().take(MOST).take_while(|(_, question)| {
        bytes += question.encoded_len();
        bytes <= MOST_BYTES
    });
    fitting.count().max(1)
}

/// A further call would only meet the same error.
fn concerns_every_call(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::CredentialRefused | ErrorKind::Unavailable)
}

/// As many results as questions.
async fn call(calls: &Calls, asked: &[VerifyRequest]) -> Result<Vec<VerifyResult>, Error> {
    let message = BatchVerifyRequest { requests: asked.to_vec() };
    let send = |mut stub: Stub, request| async move { stub.batch_verify(request).await };
    let results = calls.call(message, send).await?.results;
    if results.len() == asked.len() {
        Ok(results)
    } else {
        Err(Error::fault("the answer does not have one result for each question"))
    }
}

pub(crate) fn read(result: VerifyResult) -> Result<Decision, Error> {
    match result.result {
        Some(Answer::Decision(decision)) => Ok(Decision::read(decision)),
        Some(Answer::Error(error)) => Err(error.into()),
        None => Err(Error::fault("the answer is empty")),
    }
}

fn is_too_large(answer: &Result<Decision, Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.reason() == Some("TOO_LARGE"))
}
