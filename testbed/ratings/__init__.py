"""Files of ratings and what they mean: rows read from them, datasets made of them."""
