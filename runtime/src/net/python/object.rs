//! Objects of classes, as names and parts: exceptions and tokens of managers. None is ever made here.

use serde_pickle::Value;

use super::{PythonError, plain};

/// What a message of a manager holds: plain data, and in tuples objects of classes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Object {
    Plain(Value),
    /// Not all in it is plain.
    Tuple(Vec<Object>),
    Instance(Box<Instance>),
}

/// An object of a class, as a pickle describes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Instance {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) arguments: Vec<Object>,
    pub(super) state: Option<Object>,
}

impl Object {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Plain(Value::String(text.into()))
    }

    /// A tuple, which is plain if all in it is.
    pub(super) fn tuple(parts: Vec<Self>) -> Self {
        if !parts.iter().all(|part| matches!(part, Self::Plain(_))) {
            return Self::Tuple(parts);
        }
        let values = parts.into_iter().filter_map(|part| match part {
            Self::Plain(value) => Some(value),
            _ => None,
        });
        Self::Plain(Value::Tuple(values.collect()))
    }

    /// What is in it, if it is a tuple of so many.
    pub(super) fn parts<const N: usize>(self) -> Option<[Self; N]> {
        let parts = match self {
            Self::Plain(Value::Tuple(values)) => values.into_iter().map(Self::Plain).collect(),
            Self::Tuple(parts) => parts,
            _ => return None,
        };
        parts.try_into().ok()
    }

    pub(super) fn plain(self) -> Option<Value> {
        match self {
            Self::Plain(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn into_text(self) -> Option<String> {
        match self {
            Self::Plain(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// As a pickle of protocol 3, which all of Python 3 reads.
    pub(super) fn encode(&self) -> Result<Vec<u8>, PythonError> {
        let mut pickle = vec![0x80, 3];
        self.write(&mut pickle)?;
        pickle.push(b'.');
        Ok(pickle)
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), PythonError> {
        match self {
            Self::Plain(value) => {
                // Between the protocol and the end; nothing in it is named for later.
                let pickle = plain::encode_value(value)?;
                to.extend_from_slice(&pickle[2..pickle.len() - 1]);
            }
            Self::Tuple(parts) => write_tuple(parts, to)?,
            Self::Instance(instance) => {
                to.extend_from_slice(format!("c{}\n{}\n", instance.module, instance.name).as_bytes());
                write_tuple(&instance.arguments, to)?;
                to.push(b'R');
                if let Some(state) = &instance.state {
                    state.write(to)?;
                    to.push(b'b');
                }
            }
        }
        Ok(())
    }
}

fn write_tuple(parts: &[Object], to: &mut Vec<u8>) -> Result<(), PythonError> {
    to.push(b'(');
    parts.iter().try_for_each(|part| part.write(to))?;
    to.push(b't');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let error = Instance {
            module: "builtins".into(),
            name: "KeyError".into(),
            arguments: vec![Object::Plain(Value::Tuple(vec![Value::I64(1), Value::None]))],
            state: Some(Object::Plain(Value::Dict([].into()))),
        };
        let message = Object::tuple(vec![Object::text("#ERROR"), Object::Instance(Box::new(error))]);
        let pickle = message.encode().expect("it can be written");
        assert_eq!(plain::decode_object(&pickle, 1000).expect("it can be read"), message);
        let refused = plain::decode_value(&pickle, 1000).expect_err("it is not plain").to_string();
        assert!(refused.contains("builtins.KeyError"), "{refused}");
    }

    #[test]
    fn what_an_object_holds_beyond_plain_data_is_told_of() {
        // A list of a function, as the argument of an exception.
        let pickle = b"\x80\x03cown\nError\n]cposix\nsystem\na\x85R.";
        let Object::Instance(error) = plain::decode_object(pickle, 1000).expect("it can be read") else {
            panic!("it is an object")
        };
        assert_eq!((&error.module[..], &error.name[..]), ("own", "Error"));
        let text = error.arguments[0].clone().into_text().expect("it is told of");
        assert!(text.contains("names code"), "{text}");
        for bad in [&b"cposix\nsystem\n."[..], b"}Nb.", b"Nb.", b"cown\nError\nNR."] {
            assert!(plain::decode_object(bad, 1000).is_err(), "{bad:?}");
        }
    }
}
