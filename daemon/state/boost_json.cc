// Boost.JSON without its library: this file is all of it.
#include <boost/json/src.hpp>
