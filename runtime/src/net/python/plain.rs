//! Plain values as Python writes them: a pickle that names no code.
//!
//! Pickles are programs for a machine with a stack and a memo (`pickletools` has the list of its instructions). Those
//! that CPython's protocols 2 to 5 write for plain data are known here, and nothing else. `serde-pickle` would read more; but
//! it reads objects of classes as dictionaries, and for what was made to harm it takes memory and stack without
//! a bound. So only its values, and its writing, are used.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::{DeOptions, HashableValue, SerOptions, Value};

use super::PythonError;
use super::object::{Instance, Object};

/// How deep lists may be within lists.
const MAX_DEPTH: usize = 128;

/// A value as a pickle.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, PythonError> {
    serde_pickle::to_vec(&value, SerOptions::new()).map_err(PythonError::Unencodable)
}

/// A value of any shape as a pickle.
pub(super) fn encode_value(value: &Value) -> Result<Vec<u8>, PythonError> {
    serde_pickle::value_to_vec(value, SerOptions::new()).map_err(PythonError::Unencodable)
}

/// The value that a pickle stands for. Written out it may be as long as `limit`: what occurs twice counts twice.
pub(super) fn decode<T: DeserializeOwned>(pickle: &[u8], limit: u64) -> Result<T, PythonError> {
    serde_pickle::from_value(decode_value(pickle, limit)?).map_err(PythonError::OtherShape)
}

/// The value that a pickle stands for, of any shape.
pub(super) fn decode_value(pickle: &[u8], limit: u64) -> Result<Value, PythonError> {
    read(pickle, limit).map_err(PythonError::NotPlain)
}

/// What a pickle stands for, with objects of classes by the names of these.
pub(super) fn decode_object(pickle: &[u8], limit: u64) -> Result<Object, PythonError> {
    let mut reader = Reader { takes_objects: true, ..Reader::new(pickle) };
    let mut left = limit;
    let object = reader.run().and_then(|root| reader.build_object(root, true, MAX_DEPTH, &mut left));
    object.map_err(PythonError::NotPlain)
}

fn read(pickle: &[u8], limit: u64) -> Result<Value, String> {
    let mut reader = Reader::new(pickle);
    let root = reader.run()?;
    let mut left = limit;
    reader.build(root, true, MAX_DEPTH, &mut left)
}

/// The number of a node.
type Number = u32;

/// A value under construction. Parts are named by number, so that one can be part of several.
struct Node {
    content: Content,
    /// Whether something named it a second time.
    is_shared: bool,
}

enum Content {
    Leaf(Value),
    List(Vec<Number>),
    Tuple(Vec<Number>),
    Set(Vec<Number>),
    FrozenSet(Vec<Number>),
    /// Key, value, key, value.
    Dict(Vec<Number>),
    /// What makes a value of another one.
    Maker(Maker),
    /// What it makes of these arguments, which are a tuple.
    Made(Maker, Number),
    /// What has a name in a module.
    Global(String, String),
    /// An object of a class, which is a global: arguments, and a state. Nobody makes it.
    Instance(Number, Number, Option<Number>),
}

/// What pickles of protocols before 4 and 5 call by name.
#[derive(Clone, Copy)]
enum Maker {
    Set,
    FrozenSet,
    ByteArray,
    /// As which managers send the views of a dictionary.
    List,
}

struct Reader<'a> {
    rest: &'a [u8],
    nodes: Vec<Node>,
    stack: Vec<Number>,
    /// Where in the stack marks are.
    marks: Vec<usize>,
    memo: HashMap<u64, Number>,
    /// Whether objects of classes are kept, as their names and parts.
    takes_objects: bool,
}

impl<'a> Reader<'a> {
    fn new(pickle: &'a [u8]) -> Self {
        Self {
            rest: pickle,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            takes_objects: false,
        }
    }

    /// Runs the instructions to the end: the value that is left.
    fn run(&mut self) -> Result<Number, String> {
        loop {
            let instruction = self.byte()?;
            match instruction {
                b'.' => break, // STOP
                // PROTO, FRAME: nothing to do with the value.
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.leaf(Value::None)?,
                0x88 => self.leaf(Value::Bool(true))?,
                0x89 => self.leaf(Value::Bool(false))?,
                b'J' | b'K' | b'M' | 0x8a | 0x8b | b'G' => self.number(instruction)?,
                // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
                b'C' => self.bytes(1)?,
                b'B' => self.bytes(4)?,
                0x8e | 0x96 => self.bytes(8)?,
                // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
                0x8c => self.text(1)?,
                b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b']' => self.push(Content::List(Vec::new()))?,
                b'}' => self.push(Content::Dict(Vec::new()))?,
                0x8f => self.push(Content::Set(Vec::new()))?,
                b')' => self.push(Content::Tuple(Vec::new()))?,
                0x85..=0x87 => {
                    let parts = self.pop(usize::from(instruction - 0x84))?;
                    self.push(Content::Tuple(parts))?;
                }
                b't' | 0x91 => {
                    let parts = self.pop_to_mark()?;
                    self.push(if instruction == b't' {
                        Content::Tuple(parts)
                    } else {
                        Content::FrozenSet(parts)
                    })?;
                }
                // APPEND, SETITEM; APPENDS, SETITEMS, ADDITEMS
                b'a' | b's' => {
                    let parts = self.pop(if instruction == b'a' { 1 } else { 2 })?;
                    self.extend(instruction, parts)?;
                }
                b'e' | b'u' | 0x90 => {
                    let parts = self.pop_to_mark()?;
                    self.extend(instruction, parts)?;
                }
                b'q' | b'r' | 0x94 => self.memoize(instruction)?,
                b'h' | b'j' => self.recall(instruction)?,
                b'c' | 0x93 => self.name(instruction)?,
                b'R' => self.make()?,
                0x81 if self.takes_objects => self.make()?, // NEWOBJ
                b'b' if self.takes_objects => self.set_state()?,
                // INST, OBJ, NEWOBJ, NEWOBJ_EX, BUILD, PERSID, BINPERSID, EXT1, EXT2, EXT4
                b'i' | b'o' | 0x81 | 0x92 | b'b' | b'P' | b'Q' | 0x82..=0x84 => {
                    return Err("it holds an object of a class, and only plain data is taken".into());
                }
                other => return Err(format!("it is no pickle of plain data (instruction {other:#04x})")),
            }
        }
        match (&self.stack[..], self.rest) {
            (&[root], []) => Ok(root),
            _ => Err("it is no whole pickle".into()),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("the pickle ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A number of so many bytes, the lowest first.
    fn unsigned(&mut self, width: usize) -> Result<u64, String> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// As many bytes as a number before them says.
    fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        let length = self.unsigned(width)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn push(&mut self, content: Content) -> Result<(), String> {
        let number = Number::try_from(self.nodes.len()).map_err(|_| "it holds too many values")?;
        self.nodes.push(Node { content, is_shared: false });
        self.stack.push(number);
        Ok(())
    }

    fn leaf(&mut self, value: Value) -> Result<(), String> {
        self.push(Content::Leaf(value))
    }

    fn bytes(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.counted(width)?.to_vec();
        self.leaf(Value::Bytes(bytes))
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted(width)?);
        let text = text.map_err(|_| "it holds a string with lone surrogates, which is no text")?;
        self.leaf(Value::String(text.to_owned()))
    }

    fn number(&mut self, instruction: u8) -> Result<(), String> {
        let value = match instruction {
            b'K' => i64::from(self.byte()?),
            b'M' => self.unsigned(2)? as i64,
            b'J' => {
                let mut bytes = [0; 4];
                bytes.copy_from_slice(self.take(4)?);
                i64::from(i32::from_le_bytes(bytes))
            }
            b'G' => {
                let bits = self.unsigned(8)?.swap_bytes(); // the highest first
                return self.leaf(Value::F64(f64::from_bits(bits)));
            }
            _ => {
                let bytes = self.counted(if instruction == 0x8a { 1 } else { 4 })?;
                return self.long(bytes);
            }
        };
        self.leaf(Value::I64(value))
    }

    /// An integer in two's complement, of any length.
    fn long(&mut self, bytes: &[u8]) -> Result<(), String> {
        let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        if bytes.len() <= 8 {
            let mut number = [if is_negative { 0xff } else { 0 }; 8];
            number[..bytes.len()].copy_from_slice(bytes);
            return self.leaf(Value::I64(i64::from_le_bytes(number)));
        }
        // `serde-pickle` has the type for it, and reads it from a pickle of nothing else.
        let length = u32::try_from(bytes.len()).map_err(|_| "it holds too large a number")?;
        let pickle = [&[0x8b], &length.to_le_bytes()[..], bytes, b"."].concat();
        let value = serde_pickle::value_from_slice(&pickle, DeOptions::new());
        self.leaf(value.map_err(|error| error.to_string())?)
    }

    fn pop(&mut self, count: usize) -> Result<Vec<Number>, String> {
        let lowest = self.marks.last().copied().unwrap_or(0);
        let from = self.stack.len().checked_sub(count).filter(|from| *from >= lowest);
        Ok(self.stack.split_off(from.ok_or("it is no pickle: its stack is empty")?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Number>, String> {
        let mark = self.marks.pop().ok_or("it is no pickle: a mark is missing")?;
        Ok(self.stack.split_off(mark))
    }

    /// The value on top.
    fn top(&self) -> Result<Number, String> {
        let lowest = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(lowest..).and_then(<[Number]>::last);
        top.copied().ok_or_else(|| "it is no pickle: its stack is empty".into())
    }

    fn node(&mut self, number: Number) -> &mut Node {
        &mut self.nodes[number as usize]
    }

    /// More parts for the value on top.
    fn extend(&mut self, instruction: u8, parts: Vec<Number>) -> Result<(), String> {
        let top = self.top()?;
        match (instruction, &mut self.node(top).content) {
            (b'a' | b'e', Content::List(present)) | (0x90, Content::Set(present)) => present.extend(parts),
            (b's' | b'u', Content::Dict(present)) if parts.len() % 2 == 0 => present.extend(parts),
            _ => return Err("it is no pickle: it adds to what takes no more".into()),
        }
        Ok(())
    }

    fn memoize(&mut self, instruction: u8) -> Result<(), String> {
        let name = match instruction {
            b'q' => self.unsigned(1)?,
            b'r' => self.unsigned(4)?,
            _ => self.memo.len() as u64,
        };
        let top = self.top()?;
        self.memo.insert(name, top);
        Ok(())
    }

    fn recall(&mut self, instruction: u8) -> Result<(), String> {
        let name = self.unsigned(if instruction == b'h' { 1 } else { 4 })?;
        let number = *self.memo.get(&name).ok_or("it is no pickle: it recalls what was not said")?;
        self.node(number).is_shared = true;
        self.stack.push(number);
        Ok(())
    }

    /// Names something in a module. There are three such names for plain data.
    fn name(&mut self, instruction: u8) -> Result<(), String> {
        let (module, name) = if instruction == b'c' { (self.line()?, self.line()?) } else { self.names()? };
        let maker = match (&module[..], &name[..]) {
            ("builtins" | "__builtin__", "set") => Maker::Set,
            ("builtins" | "__builtin__", "frozenset") => Maker::FrozenSet,
            ("builtins" | "__builtin__", "bytearray") => Maker::ByteArray,
            ("builtins" | "__builtin__", "list") => Maker::List,
            _ if self.takes_objects => return self.push(Content::Global(brief(&module), brief(&name))),
            _ => {
                return Err(format!(
                    "it names `{}`, and only plain data is taken",
                    brief(&format!("{module}.{name}"))
                ));
            }
        };
        self.push(Content::Maker(maker))
    }

    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or("the pickle ends too early")?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(String::from_utf8_lossy(line).into_owned())
    }

    fn names(&mut self) -> Result<(String, String), String> {
        let parts = self.pop(2)?;
        match (&self.nodes[parts[0] as usize].content, &self.nodes[parts[1] as usize].content) {
            (Content::Leaf(Value::String(module)), Content::Leaf(Value::String(name))) => {
                Ok((brief(module), brief(name)))
            }
            _ => Err("it is no pickle: a name is none".into()),
        }
    }

    /// Makes a set or a bytearray, which a call stands for.
    fn make(&mut self) -> Result<(), String> {
        let parts = self.pop(2)?;
        match (&self.nodes[parts[0] as usize].content, &self.nodes[parts[1] as usize].content) {
            (&Content::Maker(maker), Content::Tuple(_)) => self.push(Content::Made(maker, parts[1])),
            (Content::Global(..), Content::Tuple(_)) => {
                self.push(Content::Instance(parts[0], parts[1], None))
            }
            _ => Err("it calls something, and only plain data is taken".into()),
        }
    }

    /// The state of an object, which is said after it.
    fn set_state(&mut self) -> Result<(), String> {
        let said = self.pop(1)?[0];
        let top = self.top()?;
        match &mut self.node(top).content {
            Content::Instance(_, _, state @ None) => *state = Some(said),
            _ => return Err("it is no pickle: it gives a state to what has none".into()),
        }
        Ok(())
    }

    /// The value of a node or, in tuples, objects and their parts.
    fn build_object(
        &mut self,
        number: Number,
        owns: bool,
        depth: usize,
        left: &mut u64,
    ) -> Result<Object, String> {
        let deeper = depth.checked_sub(1).ok_or_else(too_deep)?;
        let node = self.node(number);
        let all_owned = owns && !node.is_shared;
        match &node.content {
            Content::Tuple(_) => {
                charge(left, 1)?;
                let mut parts = Vec::new();
                while let Some(part) = self.part(number, parts.len()) {
                    parts.push(self.build_object(part, all_owned, deeper, left)?);
                }
                Ok(Object::tuple(parts))
            }
            &Content::Instance(class, arguments, state) => {
                let Content::Global(module, name) = &self.node(class).content else {
                    return Err("it calls something that has no name".into());
                };
                charge(left, module.len() + name.len() + 1)?;
                let (module, name) = (module.clone(), name.clone());
                let mut built = Vec::new();
                while let Some(argument) = self.part(arguments, built.len()) {
                    built.push(self.build_part(argument, deeper, left)?);
                }
                let state = state.map(|state| self.build_part(state, deeper, left)).transpose()?;
                Ok(Object::Instance(Box::new(Instance { module, name, arguments: built, state })))
            }
            _ => self.build(number, owns, depth, left).map(Object::Plain),
        }
    }

    /// What is in an object that is only told of, which does not spoil the message, unless that gets too long.
    fn build_part(&mut self, number: Number, depth: usize, left: &mut u64) -> Result<Object, String> {
        self.build_object(number, false, depth, left).or_else(|why| {
            charge(left, why.len() + 1)?;
            Ok(Object::Plain(Value::String(format!("<no plain data: {why}>"))))
        })
    }

    /// A part of what has parts. They are not copied for a look at all of them, as others may name them again and again.
    fn part(&self, of: Number, place: usize) -> Option<Number> {
        match &self.nodes[of as usize].content {
            Content::List(parts)
            | Content::Tuple(parts)
            | Content::Set(parts)
            | Content::FrozenSet(parts)
            | Content::Dict(parts) => parts.get(place).copied(),
            _ => None,
        }
    }

    /// The value of a node, with all in it. Who owns it is the only one that ever asks for it.
    fn build(&mut self, number: Number, owns: bool, depth: usize, left: &mut u64) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or_else(too_deep)?;
        let node = self.node(number);
        let owns = owns && !node.is_shared;
        let length = match &node.content {
            Content::Leaf(Value::String(text)) => text.len(),
            Content::Leaf(Value::Bytes(bytes)) => bytes.len(),
            _ => 0,
        };
        charge(left, length + 1)?;
        match &mut node.content {
            Content::Leaf(value) if owns => Ok(std::mem::replace(value, Value::None)),
            Content::Leaf(value) => Ok(value.clone()),
            Content::List(_) => self.build_all(number, owns, depth, left).map(Value::List),
            Content::Tuple(_) => self.build_all(number, owns, depth, left).map(Value::Tuple),
            Content::Set(_) => Ok(Value::Set(hashable(self.build_all(number, owns, depth, left)?)?)),
            Content::FrozenSet(_) => {
                Ok(Value::FrozenSet(hashable(self.build_all(number, owns, depth, left)?)?))
            }
            Content::Dict(_) => {
                let mut dict = BTreeMap::new();
                let mut place = 0;
                while let (Some(key), Some(value)) = (self.part(number, place), self.part(number, place + 1))
                {
                    let key = self.build(key, owns, depth, left)?.into_hashable();
                    dict.insert(
                        key.map_err(|error| error.to_string())?,
                        self.build(value, owns, depth, left)?,
                    );
                    place += 2;
                }
                Ok(Value::Dict(dict))
            }
            Content::Made(maker, arguments) => {
                let (maker, arguments) = (*maker, *arguments);
                match (maker, self.build(arguments, owns, depth, left)?) {
                    (Maker::ByteArray, Value::Tuple(arguments)) => match <[Value; 1]>::try_from(arguments) {
                        Ok([Value::Bytes(bytes)]) => Ok(Value::Bytes(bytes)),
                        Err(nothing) if nothing.is_empty() => Ok(Value::Bytes(Vec::new())),
                        _ => Err("it makes a bytearray of something else than bytes".into()),
                    },
                    (maker, Value::Tuple(arguments)) => match <[Value; 1]>::try_from(arguments) {
                        Ok([Value::List(values)]) if matches!(maker, Maker::Set) => {
                            Ok(Value::Set(hashable(values)?))
                        }
                        Ok([Value::List(values)]) if matches!(maker, Maker::List) => Ok(Value::List(values)),
                        Ok([Value::List(values)]) => Ok(Value::FrozenSet(hashable(values)?)),
                        _ => Err("it makes a set or a list of something else than a list".into()),
                    },
                    _ => Err("it calls something, and only plain data is taken".into()),
                }
            }
            Content::Maker(_) | Content::Global(..) => {
                Err("it names code, and only plain data is taken".into())
            }
            Content::Instance(..) => {
                Err("it holds an object of a class, and only plain data is taken".into())
            }
        }
    }

    fn build_all(
        &mut self,
        number: Number,
        owns: bool,
        depth: usize,
        left: &mut u64,
    ) -> Result<Vec<Value>, String> {
        let mut values = Vec::new();
        while let Some(part) = self.part(number, values.len()) {
            values.push(self.build(part, owns, depth, left)?);
        }
        Ok(values)
    }
}

/// Takes so many bytes of what is left. When it was not enough, nothing is left for anything else either.
fn charge(left: &mut u64, bytes: usize) -> Result<(), String> {
    let rest = left.checked_sub(bytes as u64);
    *left = rest.unwrap_or(0);
    rest.map(|_| ()).ok_or_else(too_long)
}

fn too_deep() -> String {
    format!("it is more than {MAX_DEPTH} levels deep, or within itself")
}

fn too_long() -> String {
    "written out it is longer than messages may be".into()
}

/// Values as members of a set. One by one, as keys above: the order of `serde-pickle` has contradictions, with NaN and with numbers that no
/// float has, and sorting may panic when it comes upon one.
fn hashable(values: Vec<Value>) -> Result<BTreeSet<HashableValue>, String> {
    let mut members = BTreeSet::new();
    for value in values {
        members.insert(value.into_hashable().map_err(|error| error.to_string())?);
    }
    Ok(members)
}

/// The beginning of a name that somebody else chose.
fn brief(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn refusal(pickle: &[u8]) -> String {
        decode_value(pickle, LIMIT).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_was_made_to_harm_is_refused() {
        assert!(refusal(b"cposix\nsystem\n(X\x02\0\0\0ididtR.").contains("posix.system"));
        assert!(refusal(b"cbuiltins\nset\n.").contains("names code"));
        assert!(refusal(b"}\x81.").contains("object of a class"));
        assert!(refusal(b"").contains("too early"));
        assert!(refusal(b"X\xff\xff\xff\xffab").contains("too early"));
        assert!(refusal(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffab").contains("too early"));
        assert!(refusal(b"N.N").contains("no whole pickle"));
        assert!(refusal(b"NN.").contains("no whole pickle"));
        assert!(refusal(b"]K\x01.").contains("no whole pickle"));
        assert!(refusal(b"(a.").contains("stack is empty"));
        assert!(refusal(b"h\x07.").contains("recalls"));
        // A list within itself.
        assert!(refusal(b"]q\0h\0a.").contains("within itself"));
        // A list within a list, two hundred thousand times.
        let deep = [vec![b']'; 200_000], vec![b'a'; 199_999], vec![b'.']].concat();
        assert!(refusal(&deep).contains("levels deep"));
        // Marks alone, and tuples of nothing.
        assert!(refusal(&vec![b'('; 1 << 20]).contains("too early"));
        assert!(refusal(&b"(t".repeat(1 << 19)).contains("too early"));
        // Ten times the list before, sixty times over.
        let mut laughs = b"]q\0".to_vec();
        for level in 1..60 {
            laughs.extend([b']', b'q', level, b'(']);
            laughs.extend([b'h', level - 1].repeat(10));
            laughs.push(b'e');
        }
        let laughs = [b"(", &laughs[..], b"t."].concat();
        assert!(refusal(&laughs).contains("longer than messages"));
    }

    #[test]
    fn what_occurs_twice_is_there_twice() {
        // x = [b"ab"]; (x, x), and a set and a frozenset of one list, as protocol 3 has them.
        let twice = decode_value(b"]q\0C\x02abah\0\x86.", LIMIT).expect("it is plain");
        let list = || Value::List(vec![Value::Bytes(b"ab".to_vec())]);
        assert_eq!(twice, Value::Tuple(vec![list(), list()]));
        let sets = b"cbuiltins\nset\n]q\0(K\x07e\x85q\x01Rcbuiltins\nfrozenset\nh\x01R\x86.";
        let member = || [HashableValue::I64(7)].into_iter().collect();
        let sets = decode_value(sets, LIMIT).expect("it is plain");
        assert_eq!(sets, Value::Tuple(vec![Value::Set(member()), Value::FrozenSet(member())]));
    }

    /// Ten thousand arguments that are no plain data, of an object that is named ten thousand times.
    #[test]
    fn what_is_no_plain_data_counts_however_often_it_is_told_of() {
        let object = [&b"cown\nError\n("[..], &b"cown\nf\n".repeat(10_000), b"tRq\0"].concat();
        let pickle = [b"(", &object[..], &b"h\0".repeat(10_000), b"t."].concat();
        let refused = decode_object(&pickle, pickle.len() as u64).expect_err("it is too long").to_string();
        assert!(refused.contains("longer than messages"), "{refused}");
        // A list whose last part is none, which costs as much as a whole one each time.
        let list = [&b"cown\nError\n]q\x01("[..], &b"N".repeat(10_000), b"cown\nf\ne\x85Rq\0"].concat();
        let pickle = [b"(", &list[..], &b"h\0".repeat(10_000), b"t."].concat();
        let refused = decode_object(&pickle, pickle.len() as u64).expect_err("it is too long").to_string();
        assert!(refused.contains("longer than messages"), "{refused}");
    }

    #[test]
    fn keys_and_members_without_an_order_are_no_panic() {
        // Of a simple generator (Numerical Recipes), so that they come in no order.
        let mut state = 1_u32;
        let mut number = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 16 {
                some if some % 3 == 0 => [&b"G"[..], &f64::NAN.to_bits().to_be_bytes()].concat(),
                some => [&b"G"[..], &f64::from(some).to_bits().to_be_bytes()].concat(),
            }
        };
        let numbers: Vec<_> = (0..2000).map(|_| number()).collect();
        let set = [b"(", &numbers.concat()[..], b"\x91."].concat();
        assert!(matches!(decode_value(&set, LIMIT), Ok(Value::FrozenSet(_))));
        let dict = [b"}(", &numbers.concat()[..], b"u."].concat();
        assert!(matches!(decode_value(&dict, LIMIT), Ok(Value::Dict(_))));
    }

    #[test]
    fn a_depth_that_is_allowed_fits_on_the_stack() {
        let pickle = [vec![b']'; MAX_DEPTH], vec![b'a'; MAX_DEPTH - 1], vec![b'.']].concat();
        let value: Value = decode(&pickle, LIMIT).expect("it is not too deep");
        let written = encode_value(&value).expect("it can be written");
        // `](` and `e` for each but the innermost, which is empty; the protocol before them, the end after.
        assert_eq!(written.len(), 3 * (MAX_DEPTH - 1) + 1 + 2 + 1);
    }
}
