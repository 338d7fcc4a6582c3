/* What an app answers when it is called. */

#include "hit.h"

/* Whether it is a generator that `types.coroutine` has marked as one to await. */
static int
is_coroutine_of_types(PyObject *object)
{
    if (!PyGen_CheckExact(object)) {
        return 0;
    }
    PyObject *code = PyObject_GetAttrString(object, "gi_code"); /* 3.11 has no function for it */
    int is_marked = code != NULL && (((PyCodeObject *)code)->co_flags & CO_ITERABLE_COROUTINE) != 0;
    Py_XDECREF(code);
    return is_marked;
}

/* What `await` would drive of an object, whose reference is taken; NULL with an error. */
PyObject *
iterator_of(PyObject *awaitable)
{
    if (awaitable == NULL || PyCoro_CheckExact(awaitable) || Py_IS_TYPE(awaitable, &Request_Type)) {
        return awaitable;
    }
    PyAsyncMethods *async = Py_TYPE(awaitable)->tp_as_async;
    PyObject *iterator = NULL;
    if (is_coroutine_of_types(awaitable)) {
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
