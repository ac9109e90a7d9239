//! Putting disclosures in their places (RFC 9901, 7.1, steps 3 to 5).
//!
//! A digest may occur once in the whole credential, whether or not it is disclosed, and every
//! disclosure must have its digest somewhere. Disclosures may hold digests of further ones.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::disclosure::{Disclosed, Disclosure};
use crate::credential::error::{CredentialError, Part, Problem};

/// Levels of objects and arrays, counted through disclosures.
const MAX_DEPTH: usize = 64;

/// The name of the digests of an object's members.
const DIGESTS: &str = "_sd";

/// The name of the digest of an array's element.
const ELEMENT: &str = "...";

/// A payload as the holder sees it.
pub(super) struct Expanded {
    /// Every disclosure in its place, `_sd`, `...` and `_sd_alg` gone.
    pub(super) payload: Map<String, Value>,
    /// Members of the payload itself that came from disclosures: name, disclosure, place in the file.
    pub(super) disclosed: Vec<(String, Part, usize)>,
    /// Members of the payload that can be left out of a presentation, whole or in part.
    pub(super) disclosable: BTreeSet<String>,
    /// Digests without a disclosure: decoys, or claims that this file does not hold.
    pub(super) withheld: usize,
}

/// Expands the signed payload, which stands `at` this place in the file.
pub(super) fn expand(
    payload: Map<String, Value>,
    at: usize,
    disclosures: &[Disclosure],
) -> Result<Expanded, CredentialError> {
    let mut by_digest = HashMap::new();
    for disclosure in disclosures {
        if by_digest.insert(disclosure.digest.as_str(), disclosure).is_some() {
            return Err(disclosure.refused(Problem::Repeated("this disclosure")));
        }
    }
    let mut expander = Expander { by_digest, seen: HashSet::new(), withheld: 0 };
    let mut expanded = Expanded {
        payload: Map::new(),
        disclosed: Vec::new(),
        disclosable: BTreeSet::new(),
        withheld: 0,
    };
    let origin = Origin { part: &Part::JwtPayload, at, depth: 0 };
    for member in expander.members(payload, origin)? {
        let before = expander.seen.len();
        let value = expander.value(member.value, member.origin.deeper()?)?;
        if member.disclosed {
            expanded.disclosed.push((
                member.name.clone(),
                member.origin.part.clone(),
                member.origin.at,
            ));
        }
        if member.disclosed || expander.seen.len() > before {
            expanded.disclosable.insert(member.name.clone());
        }
        expanded.payload.insert(member.name, value);
    }
    expanded.payload.remove("_sd_alg");
    expanded.withheld = expander.withheld;
    let unused: Vec<_> = disclosures
        .iter()
        .filter(|disclosure| !expander.seen.contains(&disclosure.digest))
        .collect();
    match culprit(&unused) {
        None => Ok(expanded),
        Some(disclosure) => Err(disclosure.refused(Problem::NotSigned)),
    }
}

/// Where a value came from, for messages, and how deep it is.
#[derive(Clone, Copy)]
struct Origin<'d> {
    part: &'d Part,
    at: usize,
    depth: usize,
}

impl Origin<'_> {
    fn deeper(self) -> Result<Self, CredentialError> {
        match self.depth {
            MAX_DEPTH.. => Err(self.refused(Problem::TooDeep(MAX_DEPTH))),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }

    fn refused(&self, problem: Problem) -> CredentialError {
        CredentialError::new(self.part.clone(), self.at, problem)
    }
}

struct Member<'d> {
    name: String,
    value: Value,
    origin: Origin<'d>,
    disclosed: bool,
}

struct Expander<'d> {
    by_digest: HashMap<&'d str, &'d Disclosure>,
    seen: HashSet<String>,
    withheld: usize,
}

impl<'d> Expander<'d> {
    fn value(&mut self, value: Value, origin: Origin<'d>) -> Result<Value, CredentialError> {
        match value {
            Value::Object(object) => {
                let mut expanded = Map::new();
                for member in self.members(object, origin)? {
                    expanded
                        .insert(member.name, self.value(member.value, member.origin.deeper()?)?);
                }
                Ok(Value::Object(expanded))
            }
            Value::Array(elements) => {
                let mut expanded = Vec::new();
                for element in elements {
                    if let Some((element, origin)) = self.element(element, origin)? {
                        expanded.push(self.value(element, origin.deeper()?)?);
                    }
                }
                Ok(Value::Array(expanded))
            }
            other => Ok(other),
        }
    }

    /// The members of an object, those of its digests among them, not yet expanded themselves.
    fn members(
        &mut self,
        mut object: Map<String, Value>,
        origin: Origin<'d>,
    ) -> Result<Vec<Member<'d>>, CredentialError> {
        let digests = match object.remove(DIGESTS) {
            None => Vec::new(),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(origin.refused(WRONG_DIGESTS)),
        };
        if object.contains_key(ELEMENT) {
            return Err(origin.refused(WRONG_ELEMENT));
        }
        let mut disclosed = Vec::new();
        for digest in digests {
            let Value::String(digest) = digest else { return Err(origin.refused(WRONG_DIGESTS)) };
            let Some(disclosure) = self.find(digest, origin)? else { continue };
            let Disclosed::Member(name, value) = disclosure.open()? else {
                return Err(disclosure.refused(Problem::WrongDisclosure("an array's element")));
            };
            let taken = |member: &Member<'_>| member.name == name;
            if object.contains_key(&name) || disclosed.iter().any(taken) {
                return Err(disclosure.refused(Problem::NameTaken));
            }
            let origin = Origin { part: &disclosure.part, at: disclosure.at, ..origin };
            disclosed.push(Member { name, value, origin, disclosed: true });
        }
        let open = object.into_iter().map(|(name, value)| Member {
            name,
            value,
            origin,
            disclosed: false,
        });
        Ok(open.chain(disclosed).collect())
    }

    /// An element of an array with its disclosure opened; `None` if it is withheld.
    fn element(
        &mut self,
        element: Value,
        origin: Origin<'d>,
    ) -> Result<Option<(Value, Origin<'d>)>, CredentialError> {
        let Value::Object(object) = &element else { return Ok(Some((element, origin))) };
        let Some(digest) = object.get(ELEMENT) else { return Ok(Some((element, origin))) };
        let (1, Value::String(digest)) = (object.len(), digest) else {
            return Err(origin.refused(WRONG_ELEMENT));
        };
        let Some(disclosure) = self.find(digest.clone(), origin)? else { return Ok(None) };
        let Disclosed::Element(value) = disclosure.open()? else {
            return Err(disclosure.refused(Problem::WrongDisclosure("an object's member")));
        };
        Ok(Some((value, Origin { part: &disclosure.part, at: disclosure.at, ..origin })))
    }

    fn find(
        &mut self,
        digest: String,
        origin: Origin<'d>,
    ) -> Result<Option<&'d Disclosure>, CredentialError> {
        let disclosure = self.by_digest.get(digest.as_str()).copied();
        if !self.seen.insert(digest) {
            return Err(origin.refused(Problem::Repeated("a digest")));
        }
        self.withheld += usize::from(disclosure.is_none());
        Ok(disclosure)
    }
}

const WRONG_DIGESTS: Problem = Problem::Wrong { what: DIGESTS, expected: "a list of texts" };
const WRONG_ELEMENT: Problem = Problem::Wrong {
    what: "\"...\"",
    expected: "the one member, a text, of an object in an array",
};

/// The disclosure to blame when some have no digest. An altered one takes along those that it held the
/// digests of, so one that does not open, or holds others' digests, is named before its followers.
fn culprit<'d>(unused: &[&'d Disclosure]) -> Option<&'d Disclosure> {
    let names: HashSet<&str> = unused.iter().map(|disclosure| disclosure.digest.as_str()).collect();
    let mut held = HashSet::new();
    let mut holders = Vec::new();
    for disclosure in unused {
        let (Ok(Disclosed::Member(_, value)) | Ok(Disclosed::Element(value))) = disclosure.open()
        else {
            return Some(disclosure);
        };
        let before = held.len();
        // Wherever it stands: the change may have hit the "_sd" before it.
        each_text(&value, &mut |text| {
            if let Some(name) = names.get(text) {
                held.insert(*name);
            }
        });
        if held.len() > before {
            holders.push(*disclosure);
        }
    }
    let is_held = |disclosure: &Disclosure| held.contains(disclosure.digest.as_str());
    holders.iter().chain(unused).find(|disclosure| !is_held(disclosure)).copied()
}

/// Calls `each` with every text in a value. `serde_json` has limited the depth.
fn each_text(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, each)),
        Value::Object(object) => object.values().for_each(|value| each_text(value, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
