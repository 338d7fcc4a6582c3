/* What an app answers when it is called. */

#include "hit.h"

/* What `await` would drive of an object, whose reference is taken; NULL with an error. */
PyObject *
iterator_of(PyObject *awaitable)
{
    if (awaitable == NULL || PyCoro_CheckExact(awaitable) || Py_IS_TYPE(awaitable, &Request_Type)) {
        return awaitable;
    }
    PyAsyncMethods *async = Py_TYPE(awaitable)->tp_as_async;
    PyObject *iterator = NULL;
    if (PyGen_CheckExact(awaitable)) { /* of types.coroutine, where it is one at all */
        iterator = Py_NewRef(awaitable);
    } else if (async == NULL || async->am_await == NULL) {
        PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                     Py_TYPE(awaitable)->tp_name);
    } else {
        iterator = async->am_await(awaitable);
        if (iterator != NULL && !PyIter_Check(iterator)) {
            PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'",
                         Py_TYPE(iterator)->tp_name);
            Py_CLEAR(iterator);
        }
    }
    Py_DECREF(awaitable);
    return iterator;
}
