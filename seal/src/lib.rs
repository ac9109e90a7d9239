//! Keys, ciphers and signatures behind one narrow door.
