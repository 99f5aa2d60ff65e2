//! Keys by the words of their names: two subqueries, however many words there are.

use domain::id::ProjectId;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Alias, CaseStatement, Expr, ExprTrait, Func, Query, SubQueryStatement},
};

use crate::store::filter::nothing;

use super::{row, terms};

/// The keys that have, for each of `words`, a word in their name that begins with it.
pub(super) fn in_name(project: &ProjectId, words: &[String]) -> Expr {
    let mut words = necessary(words);
    let Some(first) = words.pop() else {
        return nothing();
    };
    let mut found = keys_with(project, |term| begins_with(term, first));
    if !words.is_empty() {
        found = found.filter(has_all(&words));
    }
    row::Column::Id.in_subquery(found.into_query())
}

/// The ids of the keys that have such a term.
pub(super) fn keys_with(project: &ProjectId, is: impl Fn(Expr) -> Expr) -> Select<terms::Entity> {
    terms::Entity::find()
        .select_only()
        .column(terms::Column::KeyId)
        .filter(terms::Column::ProjectId.eq(project.as_str()))
        .filter(is(Expr::col((terms::Entity, terms::Column::Term))))
}

/// Without those that another one implies, so that no term begins with two of them; the longest, which is likely to be the
/// rarest, comes last.
fn necessary(words: &[String]) -> Vec<&str> {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_unstable();
    words.dedup();
    // Behind a word come, first of all, those that begin with it.
    let implied = |at: usize| words.get(at + 1).is_some_and(|next| next.starts_with(words[at]));
    let mut necessary: Vec<_> = (0..words.len()).filter(|at| !implied(*at)).map(|at| words[at]).collect();
    necessary.sort_by_key(|word| word.len());
    necessary
}

/// Whether the key of the row has all the words: a lookup of its few terms, in a form that no planner rewrites.
fn has_all(words: &[&str]) -> Expr {
    const OTHERS: &str = "others";

    let term = || Expr::col((Alias::new(OTHERS), terms::Column::Term));
    let number = i64::try_from(words.len()).unwrap_or(i64::MAX);
    let which = words.iter().zip(1..).fold(CaseStatement::new(), |which, (word, number): (_, i32)| {
        which.case(begins_with(term(), word), number)
    });
    let any = words.iter().map(|word| begins_with(term(), word)).reduce(ExprTrait::or);
    let count = Query::select()
        .expr(Func::count_distinct(which))
        .from_as(terms::Entity, Alias::new(OTHERS))
        .and_where(
            Expr::col((Alias::new(OTHERS), terms::Column::KeyId))
                .eq(Expr::col((terms::Entity, terms::Column::KeyId))),
        )
        .and_where(any.unwrap_or_else(nothing))
        .take();
    Expr::from(SubQueryStatement::SelectStatement(count)).eq(number)
}

fn begins_with(term: Expr, word: &str) -> Expr {
    let first = terms::of_word(word);
    // The last of all characters: what begins with the word lies between.
    let last = format!("{first}{}", char::MAX);
    term.between(first, last)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_implied_by_another_are_left_out() {
        let necessary = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            super::necessary(&words).join(" ")
        };
        for (words, expected) in [
            ("bill", "bill"),
            ("a a a", "a"),
            ("bill billing", "billing"),
            ("b billing bil serv", "serv billing"),
            ("ab abc ac abd", "ac abc abd"),
        ] {
            assert_eq!(necessary(words), expected, "{words}");
        }
    }
}
