//! Many questions in few calls.

use std::collections::VecDeque;

use proto::{BatchVerifyRequest, VerifyRequest, VerifyResult, verify_result::Result as Answer};

use crate::{
    calls::{Calls, Stub},
    decision::Decision,
    error::Error,
    question::Question,
};

/// What one call may ask.
const MOST: usize = 1_000;

pub(crate) async fn verify(
    calls: &Calls,
    questions: impl IntoIterator<Item = Question>,
) -> Vec<Result<Decision, Error>> {
    let mut left: VecDeque<_> = questions.into_iter().map(Question::into_message).collect();
    let mut answers = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let asked: Vec<_> = left.drain(..left.len().min(MOST)).collect();
        let results = match call(calls, &asked).await {
            Ok(results) => results,
            Err(error) => {
                answers.extend(asked.iter().map(|_| Err(error.clone())));
                continue;
            }
        };
        let first = answers.len();
        for (index, result) in results.into_iter().enumerate() {
            let answer = read(result);
            // The answer was full: those that did not fit are asked again, if there is any progress.
            if index > 0 && is_too_large(&answer) {
                break;
            }
            answers.push(answer);
        }
        let answered = answers.len() - first;
        for question in asked.into_iter().skip(answered).rev() {
            left.push_front(question);
        }
    }
    answers
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
